import { setTimeout as wait } from "node:timers/promises";
import { EXIT } from "../exit-code.ts";
import { flow, table, toJson } from "../output.ts";
import type { Call } from "../verb.ts";
import { type Capabilities, plain } from "./drawing.ts";
import { type DomainFrame, type Frame, Frames } from "./frame.ts";
import { headLines } from "./head.ts";
import { notesOn } from "./notes.ts";
import { shortPercent, shortSize } from "./text.ts";
import { firstView, shown, type View } from "./view.ts";

/** How frames are printed that no screen shows. */
export interface BatchOptions extends Pick<View, "order" | "only" | "every"> {
  /** Ends after so many frames; undefined for never. */
  readonly count: number | undefined;
  readonly json: boolean;
}

/** How long each machine has to answer for the first frame, in milliseconds. */
const SETTLE = 2000;

/** Prints frames one below the other. Each is over the time since the one before, the first one too. Resolves with the exit code. */
export async function batch({ io, facade }: Pick<Call, "io" | "facade">, options: BatchOptions): Promise<number> {
  const { count = Infinity, every, json } = options;
  const { signal, stdout } = io;
  const frames = new Frames();
  const view = firstView(options);
  try {
    frames.next(await facade.sample({ signal, settle: SETTLE }));
    for (let printed = 0; printed < count; printed += 1) {
      await wait(every, undefined, { signal });
      // QEMU's counts need two answers: later ones come as the sampler's share of a CPU allows.
      const frame = frames.next(await facade.sample(printed === 0 ? { signal, settle: SETTLE } : { signal }));
      const domains = shown(frame, view);
      stdout.write(
        json ? `${toJson({ ...frame, domains })}\n` : `${printed === 0 ? "" : "\n"}${textOf(frame, domains, view, stdout.columns)}`,
      );
      await stdout.drained?.();
    }
    return EXIT.done;
  } catch (error) {
    // Without an end of its own, an interrupt is how it ends.
    if (signal.aborted && options.count === undefined) return EXIT.interrupted;
    throw error;
  }
}

/** A line is as wide as it has to be, where no terminal says how wide that may be. */
const WIDE = 160;

function textOf(frame: Frame, domains: readonly DomainFrame[], view: View, columns: number | undefined): string {
  const can: Capabilities = { columns: columns ?? WIDE, rows: Infinity, unicode: false, colors: false };
  const head = headLines(frame, view, { ...can, columns: Math.max(80, can.columns) }).map((line) => flow(plain(line), columns));
  const header = ["name", "state", "CPU%", "steal%", "vCPUs", "memory", "guest", "host", "read/s", "written/s", "in/s", "out/s", "notes"];
  const rows = domains.map((each) => rowOf(each));
  return `${head.join("")}${rows.length === 0 ? "" : `\n${table(rows, { header, right: [2, 3, 4, 5, 6, 7, 8, 9, 10, 11], columns })}`}`;
}

function rowOf(domain: DomainFrame): readonly string[] {
  const { name, state, cpu, steal, count, memory, disks, nets } = domain;
  const all = <T>(items: readonly T[] | null, of: (item: T) => number): string =>
    items === null || items.length === 0 ? "-" : shortSize(items.reduce((sum, each) => sum + of(each), 0));
  const { guest } = memory;
  return [
    name,
    state ?? "-",
    shortPercent(cpu),
    shortPercent(steal),
    count.current === null ? "-" : String(count.current),
    shortSize(memory.current),
    guest === null ? "-" : shortSize(guest.total - guest.available),
    shortSize(memory.host),
    all(disks, ({ read }) => read),
    all(disks, ({ written }) => written),
    all(nets, ({ received }) => received),
    all(nets, ({ sent }) => sent),
    notesOn(domain)
      .map(({ words }) => words)
      .join("; "),
  ];
}
