import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StatePaths } from "../../config/runtime.ts";
import { readTail, replaceFile } from "../../config/safe-file.ts";
import { bootId } from "../../host/processes.ts";
import type { ProcessIdentity } from "../../host/signal.ts";
import type { Live } from "./live.ts";

/**
 * What was asked of a running machine and can't be read back over QMP: the balloon's target, the vCPUs that the guest is to release, how
 * many vCPU threads were ever started.
 */
export interface MachineNotes {
  /** The balloon's target in bytes; absent if nobody set one. */
  readonly balloon?: number;
  /**
   * Another target that the balloon may have, in bytes: a writer died when it was about to set it, and QEMU can't be asked whether it did.
   */
  readonly balloonOr?: number;
  /** The indices of vCPUs that QEMU was told to unplug and the guest had not ejected. */
  readonly unplug?: readonly number[];
  /** The ids of DIMMs that QEMU was told to unplug and the guest had not let go of. */
  readonly dimms?: readonly string[];
  /** How many vCPU threads QEMU has started in its run; absent if we did not start it. */
  readonly threads?: number;
  /** How often QEMU is to ask the guest for its figures, in seconds; absent if nobody said. Others stop the asking for a moment. */
  readonly period?: number;
  /** The words of devices that we plugged, by their ids: QEMU does not tell them. */
  readonly devices?: Readonly<Record<string, string>>;
  /** The ids of devices that the guest was told to release and had not. */
  readonly detaching?: readonly string[];
}

/** What is about to be asked: the notes as they will be then, and the vCPUs that are about to be plugged. */
export interface Going {
  readonly asked: MachineNotes;
  readonly plugging: readonly number[];
}

interface Kept {
  readonly process: ProcessIdentity;
  readonly boot: string;
  readonly asked: MachineNotes;
  readonly going?: Going;
}

/**
 * Reads the notes of a process. They are empty if they belong to another process, or to an earlier boot of the host. If their writer died
 * when it was about to ask, what the machine shows (`live`) tells what was asked. A damaged file counts as empty: it is a note, not a
 * truth. `folder` is where earlier versions kept it.
 */
export async function readNotes(
  { notes: path }: Pick<StatePaths, "notes">,
  process: ProcessIdentity | null,
  live: Live,
  folder: string | null = null,
): Promise<MachineNotes> {
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

async function readEarlier(folder: string, process: ProcessIdentity): Promise<MachineNotes> {
  try {
    const kept = JSON.parse(await readTail(join(folder, "asked.json"))) as MachineNotes & ProcessIdentity;
    return kept.pid === process.pid && kept.started === process.started ? asAsked(kept) : {};
  } catch {
    return {};
  }
}

/** Only valid values: a wrong number would end up in a plan. */
function asAsked({
  balloon,
  balloonOr,
  unplug,
  dimms,
  threads,
  period,
  devices,
  detaching,
}: { readonly [Key in keyof MachineNotes]: unknown }): MachineNotes {
  return {
    ...(isCount(balloon) ? { balloon } : {}),
    ...(isCount(balloonOr) ? { balloonOr } : {}),
    ...(Array.isArray(unplug) && unplug.every(isCount) ? { unplug } : {}),
    ...(Array.isArray(dimms) && dimms.every((id) => typeof id === "string") ? { dimms } : {}),
    ...(isCount(threads) ? { threads } : {}),
    ...(isCount(period) ? { period } : {}),
    ...(isTexts(devices) ? { devices } : {}),
    ...(Array.isArray(detaching) && detaching.every((id) => typeof id === "string") ? { detaching } : {}),
  };
}

function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string");
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/**
 * What was asked in the end, of what was about to be asked. QEMU takes the next client only when it has done, or dropped, what the client
 * before had sent. So when it answers us, the machine shows a vCPU that was plugged; and a vCPU that the guest was told to release is gone,
 * or the guest is releasing it. Only the balloon's target can't be seen before the guest moves.
 */
function foundOut({ asked, going }: Kept, live: Live): MachineNotes {
  if (going === undefined) return asked;
  const plugged = going.plugging.filter((vcpu) => live.vcpus.some(({ index }) => index === vcpu)).length;
  const leaving = (going.asked.unplug ?? []).filter(
    (vcpu) =>
      asked.unplug?.includes(vcpu) === true ||
      live.slots.some((slot) => slot.leaving === true && vcpu >= slot.first && vcpu < slot.first + slot.count),
  );
  const letGo = (going.asked.dimms ?? []).filter((id) => asked.dimms?.includes(id) === true || live.leavingMemory?.includes(id) === true);
  const { balloon } = going.asked;
  const { balloonOr: _, ...sure } = asked;
  const isReached = balloon !== undefined && live.memory.actual === balloon;
  const isDoubtful = balloon !== undefined && balloon !== asked.balloon && !isReached;
  return {
    ...(isReached ? { ...sure, balloon } : asked),
    ...(isDoubtful ? { balloonOr: balloon } : {}),
    ...(leaving.length > 0 || asked.unplug !== undefined ? { unplug: leaving } : {}),
    ...(letGo.length > 0 || asked.dimms !== undefined ? { dimms: letGo } : {}),
    ...(asked.threads === undefined ? {} : { threads: asked.threads + plugged }),
    // The words are of use only if the device is there. A request that the machine does not show may be asked again.
    ...(going.asked.devices === undefined ? {} : { devices: { ...asked.devices, ...going.asked.devices } }),
  };
}

/**
 * Writes down what was asked, and what is about to be asked. Call it under the machine's lock. @throws HostError when it can't be written
 */
export async function writeNotes(
  { notes: path }: Pick<StatePaths, "notes">,
  process: ProcessIdentity | null,
  asked: MachineNotes,
  going?: Going,
): Promise<void> {
  if (process === null) return;
  const kept: Kept = { process, boot: bootId(), asked, ...(going === undefined ? {} : { going }) };
  await replaceFile(path, JSON.stringify(kept));
}

/** Removes the notes: the process has ended, and what it was asked for ended with it. */
export async function forgetNotes({ notes: path }: Pick<StatePaths, "notes">): Promise<void> {
  await rm(path, { force: true });
}
