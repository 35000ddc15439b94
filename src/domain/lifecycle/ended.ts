import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import type { StatePaths } from "../../config/runtime.ts";
import { readTail } from "../../config/safe-file.ts";
import { isStillThere } from "../../host/signal.ts";
import { isTrace, lastWords, OUTPUT } from "../machine/last-words.ts";
import { isOfThisBoot, type ProcessRecord, readProcessRecord } from "../machine/process-record.ts";

/** When and why a machine's last QEMU ended, as far as it can be known. */
export interface Ended {
  /** ISO 8601; null if it is not known. */
  readonly at: string | null;
  readonly why: string;
}

/** Why QEMU ends, by the numbers of its trace event: QEMU's qapi/run-state.json, ShutdownCause. The other numbers are causes of resets. */
const CAUSES: Readonly<Record<string, string>> = {
  1: "an error on the host",
  2: "QEMU was told to quit",
  3: "QEMU was told to reset it, and -no-reboot makes that its end",
  4: "QEMU was ended by a signal",
  5: "its window was closed",
  6: "the guest powered off",
  7: "the guest reset itself, and -no-reboot makes that its end",
  8: "the guest panicked",
};

/** Why QEMU ends, by the reason in its SHUTDOWN event. */
export function causeOf(reason: string | undefined): string {
  const words: Readonly<Record<string, string>> = {
    "host-error": "1",
    "host-qmp-quit": "2",
    "host-qmp-system-reset": "3",
    "host-signal": "4",
    "host-ui": "5",
    "guest-shutdown": "6",
    "guest-reset": "7",
    "guest-panic": "8",
  };
  return CAUSES[words[reason ?? ""] ?? ""] ?? (reason === undefined ? "the cause is not known" : `reason ${reason}`);
}

/** When and why the last QEMU of a machine ended; null if none is known. */
export async function endOf(books: StatePaths): Promise<Ended | null> {
  const record = await readProcessRecord(books);
  if (record === null) return null;
  if (record.ended !== undefined) return record.ended;
  // It runs, as another config's machine.
  if (isOfThisBoot(record) && (await isStillThere(record.process))) return null;
  if (!isOfThisBoot(record)) return { at: null, why: "the host went down, or was restarted, while it ran" };
  return record.folder === null ? { at: null, why: "no command of ours was there to see why" } : byTraces(record, record.folder);
}

/** How it ended, by what QEMU left behind. At an orderly end it removes its pidfile and its sockets, and writes the cause to its output. */
async function byTraces({ process, told }: ProcessRecord, folder: string): Promise<Ended> {
  const pidfile = join(folder, "pid");
  const leftPidfile = (await readTail(pidfile)).trim() === String(process.pid);
  const words = await lastWords(folder, told);
  const last = words === null ? "" : `; its last words: ${words}`;
  if (leftPidfile)
    return {
      at: await timeOf(join(folder, OUTPUT), (await lstat(pidfile).catch(() => undefined))?.mtime),
      why: `it was killed, or crashed${last === "" ? ", without a word" : last}`,
    };
  const at = await timeOf(folder);
  if (at === null) return { at, why: "the cause is not known: its run-time folder is gone" };
  const trace = (await readTail(join(folder, OUTPUT))).split("\n").findLast(isTrace);
  const cause = CAUSES[/reason=(\d+)/.exec(trace ?? "")?.[1] ?? ""];
  return { at, why: cause !== undefined ? `${cause}${last}` : words !== null ? `its last words: ${words}` : "it ended by itself" };
}

async function timeOf(path: string, notBefore?: Date): Promise<string | null> {
  const time = (await stat(path).catch(() => undefined))?.mtime;
  const later = notBefore === undefined || (time !== undefined && time > notBefore) ? time : undefined;
  return later?.toISOString() ?? null;
}
