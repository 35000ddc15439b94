import { prepareConfig, type Stored } from "../../config/store.ts";
import type { Report } from "../change/change-report.ts";
import { type Interrupted, interruptedFrom } from "../change/interrupted.ts";
import { DamagedRecordError, isMachineThere } from "../change/journal.ts";
import type { ActionRecord, Journal } from "../change/record.ts";
import { changeLocked, type LockedOptions } from "../change/transaction.ts";
import { forgetRecords, recordToResolve, sweep } from "../change/unresolved.ts";
import type { Facts } from "../facts/facts.ts";
import { type Held, lockDeadline, lockMachine, readStored } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { ChangeOptions, Value } from "../model/change.ts";
import { StateError } from "../model/errors.ts";
import type { Change } from "../resources/registry.ts";
import { nameOf, withValue } from "../resources/registry.ts";
import { recoverAction } from "./recover-action.ts";

/** What becomes of an interrupted change: both halves as wanted, both as they were, or both left as they are. */
export type Recovery = "finish" | "undo" | "forget";

/** The answer to a recovery: the change as it stood, and a report for each half that had to be worked on. */
export interface RecoveryReport {
  readonly domain: string;
  readonly how: Recovery;
  /**
   * Null where its record is damaged: then `lost` says what can't be told of it any more. Also null for an action: then `action` says
   * which.
   */
  readonly interrupted: Interrupted | null;
  /** A start, a restart or a shutdown that was interrupted, and what was done about it. */
  readonly action?: { readonly action: ActionRecord["action"]; readonly done: string };
  readonly lost?: string;
  /** The halves that were resolved; a QEMU that is gone has no live one. None where they are left as they are. */
  readonly settled: readonly ("static" | "dynamic")[];
  readonly reports: readonly Report[];
  /** The config's text was put back as it was, byte for byte. */
  readonly restoredConfig: boolean;
  /** Nothing was touched: it is what would be done. */
  readonly dryRun: boolean;
}

/** The interrupted change of a domain, and how it stands; null where there is none. Takes the lock: a living writer's change is none. */
export async function findInterrupted(place: Place, options: ChangeOptions = {}): Promise<Interrupted | null> {
  await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout) });
  const found = await recordToResolve(place, held);
  if (found === null || "action" in found.record) return null;
  return await interruptedFrom(place.name, found.record, found.facts, held.stored?.text ?? null);
}

/**
 * Resolves an interrupted change or action, under the machine's lock. Its record is gone when that has worked, and stays when it has not.
 */
export async function recoverDomain(place: Place, how: Recovery, options: ChangeOptions = {}): Promise<RecoveryReport> {
  const dryRun = options.dryRun === true;
  await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout), dryRun: false });
  const found = await recordFor(place, held, how);
  if (!dryRun) await sweep(held.stored);
  const report = await resolve(place, held, found, how, options);
  if (!dryRun) await forgetRecords(place, held);
  return { domain: place.name, how, dryRun, ...report };
}

type Found = { readonly record: Journal | ActionRecord; readonly facts: Facts };
type Work = Omit<RecoveryReport, "domain" | "how" | "dryRun">;

async function resolve(place: Place, held: Held, found: Found | "damaged", how: Recovery, options: ChangeOptions): Promise<Work> {
  if (found === "damaged") return { interrupted: null, ...NOTHING, lost: LOST };
  const { record, facts } = found;
  if ("action" in record)
    return {
      interrupted: null,
      ...NOTHING,
      action: { action: record.action, done: await recoverAction(place, held, record, how, options) },
    };
  const interrupted = await interruptedFrom(place.name, record, facts, held.stored?.text ?? null);
  return { interrupted, ...(await WORK[how](place, held, record, { ...options, onFailure: "keep", resolving: true })) };
}

/** What a damaged record can't tell any more. */
const LOST = "its record is damaged: which change it was, who made it, and what both halves had before it are lost";

/** To forget takes no more than to know that there is something to forget. @throws StateError where nothing was interrupted */
async function recordFor(place: Place, held: Held, how: Recovery): Promise<Found | "damaged"> {
  const found = await recordToResolve(place, held).catch((error: unknown) => {
    if (how === "forget" && error instanceof DamagedRecordError) return "damaged" as const;
    throw error;
  });
  if (found === null) throw new StateError(`${place.name}: no change of it was interrupted, there is nothing to recover`, "settled");
  return found;
}

type Done = Pick<RecoveryReport, "reports" | "restoredConfig" | "settled">;

const NOTHING: Done = { reports: [], restoredConfig: false, settled: [] };
const WORK = { finish, undo, forget: () => Promise.resolve(NOTHING) };

/** Asks for the same again: what is so already is left alone. A QEMU that is gone has no live half to finish. */
async function finish(place: Place, held: Held, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await hasLiveHalf(journal);
  const fixed = journal.config !== null;
  if (!live && !fixed) return NOTHING;
  const scope = live && fixed ? "both" : live ? "dynamic" : "static";
  const settled = [...(fixed ? ["static" as const] : []), ...(live ? ["dynamic" as const] : [])];
  return {
    reports: [
      await changeLocked(
        place,
        held,
        journal.changes.map(({ change }) => change),
        { ...options, scope },
      ),
    ],
    restoredConfig: false,
    settled,
  };
}

/** The live half back to what it was, then the config, byte for byte. */
async function undo(place: Place, held: Held, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await hasLiveHalf(journal);
  const back = live ? [...valuesBefore(journal, (change) => change.back), ...masksBefore(journal)] : [];
  const reports = back.length === 0 ? [] : [await changeLocked(place, held, back, { ...options, scope: "dynamic" })];
  const settled = [...(journal.config !== null ? ["static" as const] : []), ...(live ? ["dynamic" as const] : [])];
  const stored = await readStored(place);
  if (stored === null || journal.config === null || stored.text === journal.config.before)
    return { reports, restoredConfig: false, settled };
  if (stored.text === journal.config.after) {
    if (options.dryRun !== true) await restore(stored, journal.config.before);
    return { reports, restoredConfig: true, settled };
  }
  // Somebody has edited it since: only the values of this change go back.
  const fixed = valuesBefore(journal, ({ config: value }) => value);
  return {
    reports: [...reports, await changeLocked(place, { ...held, stored }, fixed, { ...options, scope: "static" })],
    restoredConfig: false,
    settled,
  };
}

/** Whether there is a live half to resolve. One whose process was never known, as it is on another host, is asked by its monitor. */
async function hasLiveHalf(journal: Journal): Promise<boolean> {
  return (await isMachineThere(journal)) ?? true;
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
