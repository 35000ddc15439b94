import { EXIT } from "../exit-code.ts";
import type { Call } from "../verb.ts";
import type { Capabilities } from "./drawing.ts";
import { type Frame, Frames } from "./frame.ts";
import { pageOf } from "./page.ts";
import { Screen } from "./screen.ts";
import { Terminal } from "./terminal.ts";
import { firstView, pressed, type View } from "./view.ts";

/** How soon after the first look there are rates, in milliseconds. */
const SOON = 300;

/** Shows frames on the terminal until a key or a signal ends that. Resolves with the exit code. @throws what a sample throws */
export async function live({ io, facade }: Pick<Call, "io" | "facade">, about: Parameters<typeof firstView>[0]): Promise<number> {
  const frames = new Frames();
  // Before the terminal is taken: ssh may ask there who we are.
  const first = frames.next(await facade.sample({ signal: io.signal }));
  const looks = { unicode: hasUnicode(io.env), colors: (io.env["NO_COLOR"] ?? "") === "" };
  return new Promise((resolve, reject) => {
    let frame: Frame = first;
    let view: View = firstView(about);
    const screen = new Screen();
    let [top, room] = [0, 1];
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const can = (): Capabilities => ({ ...(terminal?.size ?? { columns: 80, rows: 24 }), ...looks });
    const draw = (): void => {
      if (isOver || terminal === undefined) return;
      const page = pageOf({ frame, view, can: can(), past: (domain) => frames.past(domain), top });
      ({ top, room } = page);
      io.stdout.write(screen.update(page.lines, can()));
    };
    const end = (how: () => void): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      io.signal.removeEventListener("abort", interrupted);
      terminal?.[Symbol.dispose]();
      how();
    };
    const interrupted = (): void => end(() => resolve(EXIT.interrupted));
    const next = (time: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => void sample(), time);
    };
    const sample = async (): Promise<void> => {
      const begun = performance.now();
      try {
        const taken = await facade.sample({ signal: io.signal });
        // A frame that came while it was paused would move what is looked at.
        if (!view.isPaused) frame = frames.next(taken);
      } catch (error) {
        return end(() => (io.signal.aborted ? resolve(EXIT.interrupted) : reject(error as Error)));
      }
      draw();
      if (!view.isPaused && !isOver) next(Math.max(0, view.every - (performance.now() - begun)));
    };
    const key = (name: string): void => {
      const before = view;
      const { view: after, act } = pressed(view, name, frame, room);
      view = after;
      if (act === "quit") return end(() => resolve(EXIT.done));
      if (act === "stop") return terminal?.stop();
      if (act === "redraw") screen.forget();
      if (before.isPaused && !view.isPaused) next(0);
      else if (view.isPaused) clearTimeout(timer);
      else if (before.every !== view.every) next(view.every);
      draw();
    };
    const resized = (): void => {
      screen.forget();
      draw();
    };
    let terminal: Terminal | undefined;
    io.signal.addEventListener("abort", interrupted, { once: true });
    terminal = new Terminal(io.stdout, { key, resized, gone: () => end(() => resolve(EXIT.interrupted)) });
    if (io.signal.aborted) return interrupted();
    draw();
    next(Math.min(SOON, about.every));
  });
}

/** Whether a terminal shows block characters: the Linux console has few of them, whatever its locale. */
export function hasUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale) && env["TERM"] !== "linux";
}
