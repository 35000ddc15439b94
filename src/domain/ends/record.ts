import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, removeQuietly, replaceFile } from "../../config/safe-file.ts";
import { isErrorCode, messageOf } from "../../errors.ts";
import { statusAt } from "../../file-status.ts";
import { bootId } from "../../host/processes.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";
import type { ChangeEnd, Ends } from "./change-end.ts";

const NONE: Ends = { ends: [], last: null };
const LIMIT = 4 * 1024 * 1024;

/** Whether something is kept. It costs one look, and most machines have nothing. */
export function hasEnds({ ends }: Pick<StatePaths, "ends">): boolean {
  return statusAt(ends) !== undefined;
}

/** What is kept. A file that is none of ours has nothing to take back in it, and whoever asks for that is told why. */
export async function readEnds(books: Pick<StatePaths, "ends">): Promise<Ends> {
  if (!hasEnds(books)) return NONE;
  try {
    const { text } = await readSafely(books.ends, LIMIT);
    const { ends } = await import("./schema.ts");
    return ends.parse(JSON.parse(text));
  } catch (error) {
    const why = isErrorCode(error, "config") ? messageOf(error) : `${books.ends}: it is no record of ends that this version can read`;
    return { ...NONE, unreadable: why };
  }
}

/** Writes what is kept, flushed to disk; nothing at all where there is nothing. Call it under the machine's lock. @throws HostError */
export async function writeEnds(books: Pick<StatePaths, "ends" | "endProgram">, kept: Ends): Promise<void> {
  if (kept.ends.length === 0) await removeQuietly(books.endProgram);
  if (kept.ends.length === 0 && kept.last === null) return await removeQuietly(books.ends);
  await replaceFile(books.ends, JSON.stringify({ ends: kept.ends, last: kept.last }), { flush: true });
}

/** Whether the QEMU that it was made on has ended: then there is nothing to take back. */
export async function isGone({ machine, boot }: ChangeEnd): Promise<boolean> {
  return boot !== bootId() || !(await isStillThere(machine));
}

/** Whether an end is of this run of the machine. */
export function isOf({ machine, boot }: ChangeEnd, process: ProcessIdentity | null | undefined): boolean {
  return boot === bootId() && process?.pid === machine.pid && process.started === machine.started;
}
