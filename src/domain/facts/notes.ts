import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StatePaths } from "../../config/runtime.ts";
import { readTail, replaceFile } from "../../config/safe-file.ts";
import { bootId } from "../../host/processes.ts";
import type { ProcessIdentity } from "../../host/signal.ts";
import type { Live } from "./live.ts";

/**
 * What was asked of a running machine and QMP has no way to ask back: the balloon's target, vCPUs that the guest is to
 * let go of, how many vCPU threads were ever started.
 */
export interface Asked {
  /** Bytes; absent when nobody set one. */
  readonly balloon?: number;
  /** The balloon may have another target: a writer died when it was about to set one, and QEMU can't be asked whether it did. In bytes. */
  readonly balloonOr?: number;
  /** Indices of vCPUs that QEMU was told to unplug and the guest had not ejected. */
  readonly unplug?: readonly number[];
  /** vCPU threads that QEMU has started since it began; absent when we did not start it. */
  readonly threads?: number;
}

/** What is about to be asked: what will have been asked then, and the vCPUs that are to be plugged. */
export interface Going {
  readonly asked: Asked;
  readonly plugging: readonly number[];
}

interface Kept {
  readonly process: ProcessIdentity;
  readonly boot: string;
  readonly asked: Asked;
  readonly going?: Going;
}

/**
 * Reads what was asked of the process; nothing when it is another process by now, or another run of the host. What was only about to be
 * asked when its writer died is
 * told by what the machine shows (`live`). Damage counts as nothing: it is a note, not a truth. `folder` is where a version before this one
 * kept it.
 */
export async function readNotes(
  { notes: path }: Pick<StatePaths, "notes">,
  process: ProcessIdentity | null,
  live: Live,
  folder: string | null = null,
): Promise<Asked> {
  if (process === null) return {};
  const kept = await readKept(path);
  if (kept === undefined) return folder === null || folder === dirname(path) ? {} : readEarlier(folder, process);
  const isIts = kept.boot === bootId() && kept.process.pid === process.pid && kept.process.started === process.started;
  return isIts ? foundOut(kept, live) : {};
}

async function readKept(path: string): Promise<Kept | undefined> {
  try {
    const { process, boot, asked, going } = JSON.parse(await readTail(path)) as Kept;
    const plugging = Array.isArray(going?.plugging) ? going.plugging.filter(isCount) : [];
    return {
      process: { pid: process.pid, started: process.started },
      boot,
      asked: asAsked(asked),
      ...(going === undefined ? {} : { going: { asked: asAsked(going.asked), plugging } }),
    };
  } catch {
    return undefined;
  }
}

async function readEarlier(folder: string, process: ProcessIdentity): Promise<Asked> {
  try {
    const kept = JSON.parse(await readTail(join(folder, "asked.json"))) as Asked & ProcessIdentity;
    return kept.pid === process.pid && kept.started === process.started ? asAsked(kept) : {};
  } catch {
    return {};
  }
}

/** Only what can be meant: a number that is none would end up in a plan. */
function asAsked({ balloon, balloonOr, unplug, threads }: { readonly [Key in keyof Asked]: unknown }): Asked {
  return {
    ...(isCount(balloon) ? { balloon } : {}),
    ...(isCount(balloonOr) ? { balloonOr } : {}),
    ...(Array.isArray(unplug) && unplug.every(isCount) ? { unplug } : {}),
    ...(isCount(threads) ? { threads } : {}),
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * What was asked after all, of what was about to be. QEMU takes the next client when it has done, or dropped, what the one before had sent:
 * so by the time it answers us, the machine
 * shows a vCPU that was plugged, and one that the guest was told to let go of is gone, or the guest is at it. Only the balloon's target
 * can't be seen before the guest moves.
 */
function foundOut({ asked, going }: Kept, live: Live): Asked {
  if (going === undefined) return asked;
  const plugged = going.plugging.filter((vcpu) => live.vcpus.some(({ index }) => index === vcpu)).length;
  const leaving = (going.asked.unplug ?? []).filter(
    (vcpu) =>
      asked.unplug?.includes(vcpu) === true ||
      live.slots.some((slot) => slot.leaving === true && vcpu >= slot.first && vcpu < slot.first + slot.count),
  );
  const { balloon } = going.asked;
  const { balloonOr: _, ...sure } = asked;
  const isReached = balloon !== undefined && live.memory.actual === balloon;
  const isDoubtful = balloon !== undefined && balloon !== asked.balloon && !isReached;
  return {
    ...(isReached ? { ...sure, balloon } : asked),
    ...(isDoubtful ? { balloonOr: balloon } : {}),
    ...(leaving.length > 0 || asked.unplug !== undefined ? { unplug: leaving } : {}),
    ...(asked.threads === undefined ? {} : { threads: asked.threads + plugged }),
  };
}

/** Keeps what was asked, and what is about to be. Call it under the machine's lock. @throws HostError */
export async function writeNotes(
  { notes: path }: Pick<StatePaths, "notes">,
  process: ProcessIdentity | null,
  asked: Asked,
  going?: Going,
): Promise<void> {
  if (process === null) return;
  const kept: Kept = { process, boot: bootId(), asked, ...(going === undefined ? {} : { going }) };
  await replaceFile(path, JSON.stringify(kept));
}

/** The process is gone: so is what was asked of it. */
export async function forgetNotes({ notes: path }: Pick<StatePaths, "notes">): Promise<void> {
  await rm(path, { force: true });
}
