import { prepareConfig, type Stored, sweepLeftovers } from "../config/store.ts";
import type { Change, ChangeOptions, Report, Value } from "./change.ts";
import { lockDomain } from "./domain-lock.ts";
import { StateError } from "./errors.ts";
import { readStored } from "./facts.ts";
import { type Interrupted, interruptedFrom } from "./interrupted.ts";
import { type Journal, readJournal, removeJournal } from "./journal.ts";
import { readBoth } from "./inspect.ts";
import type { Place } from "./place.ts";
import { isStillThere } from "../host/signal.ts";
import { changeLocked, type LockedOptions } from "./transaction.ts";
import { nameOf, withValue } from "./resources.ts";

/** What becomes of an interrupted change: both halves as wanted, both as they were, or both left as they are. */
export type Recovery = "finish" | "undo" | "forget";

/** The answer to a recovery: the change as it stood, and a report for each half that had to be worked on. */
export interface RecoveryReport {
  readonly domain: string;
  readonly how: Recovery;
  readonly interrupted: Interrupted;
  readonly reports: readonly Report[];
  /** The config's text was put back as it was, byte for byte. */
  readonly restoredConfig: boolean;
}

/** The interrupted change of a domain, and how it stands; null where there is none. Takes the lock: a living writer's change is none. */
export async function findInterrupted(place: Place, options: ChangeOptions = {}): Promise<Interrupted | null> {
  await using _lock = await lockDomain(place, options);
  const journal = await readJournal(place.runtime);
  return journal === null ? null : await stateOf(place, journal);
}

/** Settles an interrupted change, under the domain's lock. Its record is gone when that has worked, and stays when it has not. */
export async function recoverDomain(place: Place, how: Recovery, options: ChangeOptions = {}): Promise<RecoveryReport> {
  await using _lock = await lockDomain(place, options);
  const journal = await readJournal(place.runtime);
  if (journal === null) throw new StateError(`${place.name}: no change of it was interrupted, there is nothing to recover`, "settled");
  const interrupted = await stateOf(place, journal);
  const work = { finish, undo, forget: () => Promise.resolve({ reports: [], restoredConfig: false }) }[how];
  if (place.config !== null && options.dryRun !== true) await sweepLeftovers(place.config);
  const done = await work(place, journal, { ...options, onFailure: "keep", settling: true });
  if (options.dryRun !== true) await removeJournal(place.runtime);
  return { domain: place.name, how, interrupted, ...done };
}

async function stateOf(place: Place, journal: Journal): Promise<Interrupted> {
  const { stored, facts } = await readBoth(place);
  return interruptedFrom(place.name, journal, facts, stored?.text ?? null);
}

type Done = Pick<RecoveryReport, "reports" | "restoredConfig">;

/** Asks for the same again: what is so already is left alone. A QEMU that is gone has no live half to finish. */
async function finish(place: Place, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await isThere(journal);
  const fixed = journal.config !== null;
  if (!live && !fixed) return { reports: [], restoredConfig: false };
  const scope = live && fixed ? "both" : live ? "dynamic" : "static";
  return { reports: [await changeLocked(place, journal.changes.map(({ change }) => change), { ...options, scope })], restoredConfig: false };
}

/** The live half back to what it was, then the config, byte for byte. */
async function undo(place: Place, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await isThere(journal);
  const back = live ? [...valuesBefore(journal, (change) => change.back), ...masksBefore(journal)] : [];
  const reports = back.length === 0 ? [] : [await changeLocked(place, back, { ...options, scope: "dynamic" })];
  const stored = await readStored(place);
  if (stored === null || journal.config === null || stored.text === journal.config.before) return { reports, restoredConfig: false };
  if (stored.text === journal.config.after) {
    if (options.dryRun !== true) await restore(stored, journal.config.before);
    return { reports, restoredConfig: true };
  }
  // Somebody has edited it since: only the values of this change go back.
  const fixed = valuesBefore(journal, ({ config: value }) => value);
  return { reports: [...reports, await changeLocked(place, fixed, { ...options, scope: "static" })], restoredConfig: false };
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
