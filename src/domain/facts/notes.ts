import { constants } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTail } from "../../config/safe-file.ts";
import { startTime } from "../../host/threads.ts";

/**
 * What was asked of a running machine and QMP has no way to ask back: the balloon's target, vCPUs that the guest is to
 * let go of, how many vCPU threads were ever started. Kept beside the machine's sockets, worth as long as that process lives.
 */
export interface Asked {
  /** Bytes; absent when nobody set one. */
  readonly balloon?: number;
  /** Indices of vCPUs that QEMU was told to unplug and the guest had not ejected. */
  readonly unplug?: readonly number[];
  /** vCPU threads that QEMU has started since it began; absent when we did not start it. */
  readonly threads?: number;
}

interface Kept extends Asked {
  readonly pid: number;
  readonly started: number;
}

/** Reads what was asked of the process; nothing when it is another process by now. Damage counts as nothing: it is a note, not a truth. */
export async function readAsked(folder: string, pid: number | null): Promise<Asked> {
  if (pid === null) return {};
  try {
    const kept = JSON.parse(await readTail(fileOf(folder))) as Kept;
    return kept.pid === pid && kept.started === (await startTime(pid)) ? asAsked(kept) : {};
  } catch {
    return {};
  }
}

/** Only what can be meant: a number that is none would end up in a plan. */
function asAsked({ balloon, unplug, threads }: { readonly [Key in keyof Asked]: unknown }): Asked {
  return {
    ...(isCount(balloon) ? { balloon } : {}),
    ...(Array.isArray(unplug) && unplug.every(isCount) ? { unplug } : {}),
    ...(isCount(threads) ? { threads } : {}),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Keeps what was asked. Call it under the domain's lock. */
export async function writeAsked(folder: string, pid: number | null, asked: Asked): Promise<void> {
  if (pid === null) return;
  const started = await startTime(pid);
  if (started === undefined) return forgetAsked(folder);
  const { balloon, unplug, threads } = asked;
  await writeFile(fileOf(folder), JSON.stringify({ pid, started, balloon, unplug, threads }), { mode: 0o600, flag: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK });
}

/** The process is gone: so is what was asked of it. */
export async function forgetAsked(folder: string): Promise<void> {
  await rm(fileOf(folder), { force: true });
}

function fileOf(folder: string): string {
  return join(folder, "asked.json");
}
