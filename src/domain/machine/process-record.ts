import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, replaceFile } from "../../config/safe-file.ts";
import { bootId } from "../../host/processes.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";

/**
 * The process that runs a machine, or ran it last, as written down by the command that started or adopted it. It finds that process at
 * once, and keeps what can be known about its end. A machine is found without it too.
 */
export interface ProcessRecord {
  readonly process: ProcessIdentity;
  /** The boot of the host that it belongs to: a pid means nothing after it. */
  readonly boot: string;
  /** Whether we started it, or `define --pid` adopted it. */
  readonly how: "started" | "adopted";
  /** The config that it was for. */
  readonly config: string;
  /** Its run-time folder; null if we did not start it. */
  readonly folder: string | null;
  /** ISO 8601. */
  readonly since: string;
  /** How many lines QEMU had written when it was up: these are not its last words. */
  readonly told?: number;
  /** The process that waits for its end, as `qmpctl run` does; absent if none does. */
  readonly supervisor?: ProcessIdentity;
  /** A restart has shut it down, and leaves it to its supervisor to start it again: paused, or not. */
  readonly again?: { readonly paused: boolean };
  /** When and how it ended, if a command of ours was there. */
  readonly ended?: { readonly at: string; readonly why: string };
}

const LIMIT = 64 * 1024;

/** The record of a machine; null if there is none. A damaged one counts as none: it is a note, not a truth. */
export async function readProcessRecord({ process: path }: StatePaths): Promise<ProcessRecord | null> {
  try {
    const record = JSON.parse((await readSafely(path, LIMIT)).text) as ProcessRecord;
    return isRecord(record) ? record : null;
  } catch {
    return null;
  }
}

function isRecord({ process, boot, how, config, folder, since }: { readonly [Key in keyof ProcessRecord]: unknown }): boolean {
  const { pid, started } = (process ?? {}) as { readonly pid?: unknown; readonly started?: unknown };
  return (
    Number.isSafeInteger(pid) &&
    Number.isSafeInteger(started) &&
    [boot, config, since].every((text) => typeof text === "string") &&
    (how === "started" || how === "adopted") &&
    (folder === null || typeof folder === "string")
  );
}

/** Whether the record was written since the host booted. */
export function isOfThisBoot({ boot }: ProcessRecord): boolean {
  return boot === bootId();
}

/** The process that supervises a machine, by its record; null if none does any more. */
export async function supervisorOf(record: ProcessRecord | null): Promise<ProcessIdentity | null> {
  const supervisor = record?.supervisor;
  return record !== null && supervisor !== undefined && isOfThisBoot(record) && (await isStillThere(supervisor)) ? supervisor : null;
}

/** Writes it whole. Call it under the machine's lock. @throws HostError when it can't be written */
export function writeProcessRecord({ process: path }: StatePaths, record: Omit<ProcessRecord, "boot">): Promise<void> {
  return replaceFile(path, JSON.stringify({ ...record, boot: bootId() }));
}
