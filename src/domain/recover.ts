import { prepareConfig, type Stored, sweepLeftovers } from "../config/store.ts";
import type { Change, ChangeOptions, Report, Value } from "./change.ts";
import { lockDomain } from "./machine/lock.ts";
import { StateError } from "./errors.ts";
import { readStored } from "./facts.ts";
import { type Interrupted, interruptedFrom } from "./interrupted.ts";
import { DamagedRecordError, type Journal, readJournal, removeJournal } from "./journal.ts";
import { readBoth } from "./inspect.ts";
import type { Place } from "./machine/place.ts";
import { isStillThere } from "../host/signal.ts";
import { changeLocked, type LockedOptions } from "./transaction.ts";
import { nameOf, withValue } from "./resources.ts";

/** What becomes of an interrupted change: both halves as wanted, both as they were, or both left as they are. */
export type Recovery = "finish" | "undo" | "forget";

/** The answer to a recovery: the change as it stood, and a report for each half that had to be worked on. */
export interface RecoveryReport {
  readonly domain: string;
  readonly how: Recovery;
  /** Null where its record is damaged: then `lost` says what can't be told of it any more. */
  readonly interrupted: Interrupted | null;
  readonly lost?: string;
  /** The halves that were settled; a QEMU that is gone has no live one. None where they are left as they are. */
  readonly settled: readonly ("static" | "dynamic")[];
  readonly reports: readonly Report[];
  /** The config's text was put back as it was, byte for byte. */
  readonly restoredConfig: boolean;
  /** Nothing was touched: it is what would be done. */
  readonly dryRun: boolean;
}

/** The interrupted change of a domain, and how it stands; null where there is none. Takes the lock: a living writer's change is none. */
export async function findInterrupted(place: Place, options: ChangeOptions = {}): Promise<Interrupted | null> {
  await using _lock = await lockDomain(place, options);
  const journal = await readJournal(place);
  return journal === null ? null : await stateOf(place, journal);
}

/** Settles an interrupted change, under the domain's lock. Its record is gone when that has worked, and stays when it has not. */
export async function recoverDomain(place: Place, how: Recovery, options: ChangeOptions = {}): Promise<RecoveryReport> {
  await using _lock = await lockDomain(place, options);
  const dryRun = options.dryRun === true;
  const found = await recordOf(place, how);
  const interrupted = found === "damaged" ? null : await stateOf(place, found);
  if (place.config !== null && !dryRun) await sweepLeftovers(place.config);
  const done = found === "damaged" ? { ...NOTHING, lost: LOST } : await WORK[how](place, found, { ...options, onFailure: "keep", settling: true });
  if (!dryRun) await removeJournal(place.runtime);
  return { domain: place.name, how, dryRun, interrupted, ...done };
}

/** What a damaged record can't tell any more. */
const LOST = "its record is damaged: which change it was, who made it, and what both halves had before it are lost";

/** To forget takes no more than to know that there is something to forget. @throws StateError where nothing was interrupted */
async function recordOf(place: Place, how: Recovery): Promise<Journal | "damaged"> {
  const journal = await readJournal(place).catch((error: unknown) => {
    if (how === "forget" && error instanceof DamagedRecordError) return "damaged" as const;
    throw error;
  });
  if (journal === null) throw new StateError(`${place.name}: no change of it was interrupted, there is nothing to recover`, "settled");
  return journal;
}

async function stateOf(place: Place, journal: Journal): Promise<Interrupted> {
  const { stored, facts } = await readBoth(place);
  return interruptedFrom(place.name, journal, facts, stored?.text ?? null);
}

type Done = Pick<RecoveryReport, "reports" | "restoredConfig" | "settled">;

const NOTHING: Done = { reports: [], restoredConfig: false, settled: [] };
const WORK = { finish, undo, forget: () => Promise.resolve(NOTHING) };

/** Asks for the same again: what is so already is left alone. A QEMU that is gone has no live half to finish. */
async function finish(place: Place, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await isThere(journal);
  const fixed = journal.config !== null;
  if (!live && !fixed) return NOTHING;
  const scope = live && fixed ? "both" : live ? "dynamic" : "static";
  const settled = [...(fixed ? ["static" as const] : []), ...(live ? ["dynamic" as const] : [])];
  return { reports: [await changeLocked(place, journal.changes.map(({ change }) => change), { ...options, scope })], restoredConfig: false, settled };
}

/** The live half back to what it was, then the config, byte for byte. */
async function undo(place: Place, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await isThere(journal);
  const back = live ? [...valuesBefore(journal, (change) => change.back), ...masksBefore(journal)] : [];
  const reports = back.length === 0 ? [] : [await changeLocked(place, back, { ...options, scope: "dynamic" })];
  const settled = [...(journal.config !== null ? ["static" as const] : []), ...(live ? ["dynamic" as const] : [])];
  const stored = await readStored(place);
  if (stored === null || journal.config === null || stored.text === journal.config.before) return { reports, restoredConfig: false, settled };
  if (stored.text === journal.config.after) {
    if (options.dryRun !== true) await restore(stored, journal.config.before);
    return { reports, restoredConfig: true, settled };
  }
  // Somebody has edited it since: only the values of this change go back.
  const fixed = valuesBefore(journal, ({ config: value }) => value);
  return { reports: [...reports, await changeLocked(place, fixed, { ...options, scope: "static" })], restoredConfig: false, settled };
}

/** Whether there is a live half to settle. One whose process was never known, as it is on another host, is asked by its monitor. */
async function isThere({ machine }: Journal): Promise<boolean> {
  return machine === null || isStillThere(machine);
}

function valuesBefore(journal: Journal, pick: (change: Journal["changes"][number]) => Value): readonly Change[] {
  return journal.changes.flatMap((each) => {
    const value = pick(each);
    return value === null ? [] : [withValue(each.change, value)];
  });
}

/** The masks of vCPUs that left, and come back with the others: what is so already is left alone. */
function masksBefore({ changes, masks }: Journal): readonly Change[] {
  const count = changes.find(({ change }) => change.resource === "vcpus")?.live;
  if (typeof count !== "number") return [];
  const listed = new Set(changes.map(({ change }) => nameOf(change)));
  const pins = Object.entries(masks).map(([vcpu, cpus]): Change => ({ resource: "vcpu-pin", vcpu: Number(vcpu), cpus }));
  return pins.filter((pin) => !listed.has(nameOf(pin)));
}

async function restore(stored: Stored, text: string): Promise<void> {
  const prepared = await prepareConfig(stored, text);
  try {
    await prepared.commit();
  } finally {
    await prepared.drop();
  }
}
