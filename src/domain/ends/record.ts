import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, removeQuietly, replaceFile } from "../../config/safe-file.ts";
import { statusAt } from "../../file-status.ts";
import { bootId } from "../../host/processes.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";
import type { Timer } from "../../host/timers.ts";
import type { ScheduledThread } from "../facts/live-thread.ts";
import type { Outcome, Value } from "../model/change.ts";
import type { Change } from "../resources/registry.ts";

/** One value that a change with an end left behind. */
export interface EndItem {
  /** The change as it was made: what it left. */
  readonly change: Change;
  /** What was there before, as it was shown. */
  readonly before: Value;
  /** The value that leads back to it. */
  readonly back: Value;
}

/** A change that ends by itself: what it left, what was before, when it ends, and which timer of the host's sees to that. */
export interface ChangeEnd {
  /** Twelve hexadecimal digits, by which the timer names it. */
  readonly key: string;
  /** ISO 8601, in UTC: when it ends, and when it was made. */
  readonly due: string;
  readonly since: string;
  readonly timer: Timer;
  /** Whether it was made with `force`: then it is taken back so too. */
  readonly force: boolean;
  /** The QEMU that it was made on: no other one is touched. */
  readonly machine: ProcessIdentity;
  readonly boot: string;
  readonly items: readonly EndItem[];
  /** What threads had that come and go with it, as changes that give it to them. */
  readonly threads: readonly Change[];
  /** What QEMU's own threads had. */
  readonly own: readonly ScheduledThread[];
  /** Why it could not be taken back, the last time that was tried, and when that was. */
  readonly failure?: { readonly at: string; readonly why: string } | undefined;
}

/** How the last end went, as nobody watches. */
export interface LastEnd {
  /** ISO 8601: when it was due, and when it was done. */
  readonly due: string;
  readonly at: string;
  readonly outcome: Outcome;
  /** What was taken back and what was not, one line each. */
  readonly notes: readonly string[];
}

/** What is kept of a machine's changes with an end. */
export interface Ends {
  readonly ends: readonly ChangeEnd[];
  readonly last: LastEnd | null;
}

const NONE: Ends = { ends: [], last: null };
const LIMIT = 4 * 1024 * 1024;

/** Whether something is kept. It costs one look, and most machines have nothing. */
export function hasEnds({ ends }: Pick<StatePaths, "ends">): boolean {
  return statusAt(ends) !== undefined;
}

/** What is kept. A file that is none of ours counts as nothing: it is written whole, or not at all. */
export async function readEnds(books: Pick<StatePaths, "ends">): Promise<Ends> {
  if (!hasEnds(books)) return NONE;
  try {
    const { text } = await readSafely(books.ends, LIMIT);
    const { ends } = await import("./schema.ts");
    return ends.parse(JSON.parse(text));
  } catch {
    return NONE;
  }
}

/** Writes what is kept, flushed to disk; nothing at all where there is nothing. Call it under the machine's lock. @throws HostError */
export async function writeEnds(books: Pick<StatePaths, "ends" | "endProgram">, kept: Ends): Promise<void> {
  if (kept.ends.length === 0) await removeQuietly(books.endProgram);
  if (kept.ends.length === 0 && kept.last === null) return await removeQuietly(books.ends);
  await replaceFile(books.ends, JSON.stringify(kept), { flush: true });
}

/** Whether the QEMU that it was made on has ended: then there is nothing to take back. */
export async function isGone({ machine, boot }: ChangeEnd): Promise<boolean> {
  return boot !== bootId() || !(await isStillThere(machine));
}

/** Whether an end is of this run of the machine. */
export function isOf({ machine, boot }: ChangeEnd, process: ProcessIdentity | null | undefined): boolean {
  return boot === bootId() && process?.pid === machine.pid && process.started === machine.started;
}
