import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, replaceFile } from "../../config/safe-file.ts";
import { bootId } from "../../host/processes.ts";
import type { ProcessIdentity } from "../../host/signal.ts";

/**
 * The process that runs a machine, or ran it last, as whoever started or adopted it wrote it down. It finds that process at once, and tells
 * of its end what can
 * be known; a machine is found without it too.
 */
export interface ProcessRecord {
  readonly process: ProcessIdentity;
  /** The run of the host that it belongs to: a pid means nothing after it. */
  readonly boot: string;
  /** We started it, or `define --pid` took it over. */
  readonly how: "started" | "adopted";
  /** The config that it was for. */
  readonly config: string;
  /** Its run-time folder, where we started it. */
  readonly folder: string | null;
  /** ISO 8601. */
  readonly since: string;
  /** How many lines QEMU had written when it was up: they are no last words. */
  readonly told?: number;
  /** When and how it ended, where one of our own commands was there. */
  readonly ended?: { readonly at: string; readonly why: string };
}

const LIMIT = 64 * 1024;

/** The record of a machine; null where there is none. Damage counts as none: it is a note, not a truth. */
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

/** Whether the record is of this run of the host. */
export function isOfThisBoot({ boot }: ProcessRecord): boolean {
  return boot === bootId();
}

/** Writes it whole. Call it under the machine's lock. @throws HostError */
export function writeProcessRecord({ process: path }: StatePaths, record: Omit<ProcessRecord, "boot">): Promise<void> {
  return replaceFile(path, JSON.stringify({ ...record, boot: bootId() }));
}
