import { control } from "../harmless.ts";
import type { Sink } from "../verb.ts";
import { keyOfRest, keysIn } from "./keys.ts";

/** What happens at the terminal. */
export interface Happenings {
  key(key: string): void;
  /** It has another size, or has to be drawn anew. */
  resized(): void;
  /** It is gone. */
  gone(): void;
}

/** The other screen, without a cursor, and without a new line at the end of a full one; and the way back. */
const ENTER = control("\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J");
const LEAVE = control("\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l");

/** How long the rest of a key's sequence may take to come, in milliseconds. */
const REST = 100;

/**
 * The terminal while it belongs to a screen: its keys come one by one, and what was on it is put back at the end. That happens however the
 * program ends: by a key, a signal, an error that nobody caught. Only SIGKILL leaves it as it is.
 */
export class Terminal implements Disposable {
  readonly #out: Sink;
  readonly #happenings: Happenings;
  readonly #handlers: readonly (readonly [event: string, handler: () => void])[];
  #begun = "";
  #rest: NodeJS.Timeout | undefined;
  #isIn = false;
  #isOver = false;

  constructor(out: Sink, happenings: Happenings) {
    this.#out = out;
    this.#happenings = happenings;
    const leave = (): void => this.#leave();
    this.#handlers = [
      ["exit", leave],
      // Before the error is printed: on the other screen nobody would see it.
      ["uncaughtException", leave],
      ["SIGTSTP", () => this.stop()],
      ["SIGCONT", () => this.#enter()],
      ["SIGQUIT", () => this.#endBy("SIGQUIT")],
    ];
    for (const [event, handler] of this.#handlers) process.prependListener(event as "exit", handler);
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", this.#typed).on("end", this.#gone).on("error", this.#gone);
    process.stdout.on("resize", this.#resized).on("error", this.#gone);
    this.#enter();
    process.stdin.resume();
  }

  get size(): { readonly columns: number; readonly rows: number } {
    const { columns, rows } = process.stdout;
    return { columns: columns || 80, rows: rows || 24 };
  }

  /** Gives the terminal back and stops, as Ctrl-Z does; resumed, it goes on where it was. */
  stop(): void {
    this.#leave();
    const stopping = this.#handlers.find(([event]) => event === "SIGTSTP")?.[1] ?? (() => {});
    process.removeListener("SIGTSTP", stopping);
    // All of the job, as the terminal itself would do: a shell waits until the last of a pipe has stopped.
    process.kill(0, "SIGTSTP");
    // It is stopped here, if anybody can resume it: not without job control.
    setTimeout(() => {
      if (this.#isOver) return;
      process.removeListener("SIGTSTP", stopping);
      process.on("SIGTSTP", stopping);
      if (!this.#isIn) this.#enter();
    }, REST);
  }

  #enter(): void {
    if (this.#isOver) return;
    this.#isIn = true;
    // What stopped us without asking (SIGSTOP) has left the shell to set its own modes, of which Node does not know.
    process.stdin.setRawMode(false);
    process.stdin.setRawMode(true);
    this.#out.write(ENTER);
    this.#happenings.resized();
  }

  #leave(): void {
    if (!this.#isIn) return;
    this.#isIn = false;
    this.#out.write(LEAVE);
    // It fails where the terminal is gone.
    try {
      process.stdin.setRawMode(false);
    } catch {}
  }

  #endBy(signal: "SIGQUIT"): void {
    this.#leave();
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }

  readonly #typed = (text: string): void => {
    clearTimeout(this.#rest);
    const { keys, begun } = keysIn(this.#begun + text);
    this.#begun = begun;
    if (begun !== "") this.#rest = setTimeout(this.#ripe, REST);
    for (const key of keys) this.#happenings.key(key);
  };

  readonly #ripe = (): void => {
    const keys = keyOfRest(this.#begun);
    this.#begun = "";
    for (const key of keys) this.#happenings.key(key);
  };

  readonly #gone = (): void => this.#happenings.gone();
  readonly #resized = (): void => this.#happenings.resized();

  [Symbol.dispose](): void {
    this.#leave();
    this.#isOver = true;
    clearTimeout(this.#rest);
    for (const [event, handler] of this.#handlers) process.removeListener(event, handler);
    process.stdin.off("data", this.#typed).off("end", this.#gone).off("error", this.#gone).pause();
    process.stdout.off("resize", this.#resized).off("error", this.#gone);
  }
}
