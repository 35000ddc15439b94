import { prepareConfig, type Stored } from "../../config/store.ts";
import { UsageError } from "../../errors.ts";
import type { Report } from "../change/change-report.ts";
import type { Interrupted } from "../change/interrupted-error.ts";
import { interruptedFrom } from "../change/interrupted.ts";
import { DamagedRecordError, isMachineThere } from "../change/journal.ts";
import type { LockedOptions } from "../change/locked-options.ts";
import type { ActionRecord, Journal } from "../change/record.ts";
import { changeLocked } from "../change/transaction.ts";
import { forgetRecords, recordToResolve, sweep } from "../change/unresolved.ts";
import type { Facts } from "../facts/facts.ts";
import { type Held, lockDeadline, lockMachine, readStored } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { ChangeOptions } from "../model/change.ts";
import { StateError } from "../model/errors.ts";
import { kindOf } from "../resources/registry.ts";
import { recoverAction } from "./recover-action.ts";
import { changesToFinish, changesToUndo, valuesBefore } from "./recovery-changes.ts";
import { tellRecovery } from "./recovery-history.ts";

/**
 * How an interrupted change is resolved: both halves as they were wanted (`finish`), both as they were before (`undo`), or both left as
 * they are (`forget`).
 */
export type Recovery = "finish" | "undo" | "forget";

/** The answer to a recovery: how the change stood, and a report for each half that was worked on. */
export interface RecoveryReport {
  readonly domain: string;
  readonly how: Recovery;
  /** Null if its record is damaged: `lost` then says what can't be known any more. Also null for an action: `action` then says which. */
  readonly interrupted: Interrupted | null;
  /** A start, a restart or a shutdown that was interrupted, and what was done about it. */
  readonly action?: { readonly action: ActionRecord["action"]; readonly done: string };
  readonly lost?: string;
  /** The halves that were resolved. A QEMU that has ended has no live half. None if they are left as they are. */
  readonly settled: readonly ("static" | "dynamic")[];
  readonly reports: readonly Report[];
  /** What becomes of the end that the change was to have, in words; absent if it had none. */
  readonly end?: string;
  /** The config's text was put back as it was, byte for byte. */
  readonly restoredConfig: boolean;
  /** Nothing was touched: this is what would be done. */
  readonly dryRun: boolean;
}

/**
 * The interrupted change of a domain, and how it stands; null if there is none. It takes the lock: the change of a living writer is not
 * interrupted.
 *
 * @throws LockedError; DamagedRecordError when the record can't be read; ConfigError
 */
export async function findInterrupted(place: Place, options: ChangeOptions = {}): Promise<Interrupted | null> {
  await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout) });
  const found = await recordToResolve(place, held);
  if (found === null || "action" in found.record) return null;
  return await interruptedFrom(place.name, found.record, found.facts, held.stored?.text ?? null);
}

/**
 * Resolves an interrupted change or action, under the machine's lock. If that works, its record is removed; if not, it stays.
 *
 * @throws StateError when nothing was interrupted; ChangeError; RefusedError; LockedError; ConfigError; the signal's reason
 */
export async function recoverDomain(place: Place, how: Recovery, options: ChangeOptions = {}): Promise<RecoveryReport> {
  const dryRun = options.dryRun === true;
  if (options.for !== undefined || options.until !== undefined)
    throw new UsageError("recover: what is resolved has the end that it was made with", {
      value: options.for ?? options.until,
      expected: "no end",
    });
  await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout), dryRun: false });
  const found = await recordFor(place, held, how);
  if (!dryRun) await sweep(held.stored);
  const about = { domain: place.name, books: held.books, record: found === "damaged" ? null : found.record, how };
  const began = new Date().toISOString();
  const tell = async (end: Work | object): Promise<void> => (dryRun ? undefined : tellRecovery(about, began, end, options.signal?.reason));
  const report = await resolve(place, held, found, how, options).catch(async (error: unknown) => {
    await tell(error as object);
    throw error;
  });
  await tell(report);
  const end = dryRun || found === "damaged" || "action" in found.record ? undefined : await settle(place, held, found.record, how);
  if (!dryRun) await forgetRecords(place, held);
  return { domain: place.name, how, dryRun, ...report, ...(end === undefined ? {} : { end }) };
}

async function settle(place: Place, held: Held, journal: Journal, how: Recovery): Promise<string | undefined> {
  return (await import("./settle-end.ts")).settleEnd(place, held, journal, how);
}

type Found = { readonly record: Journal | ActionRecord; readonly facts: Facts };
type Work = Omit<RecoveryReport, "domain" | "how" | "dryRun" | "end">;

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

/** What is lost with a damaged record. */
const LOST = "its record is damaged: which change it was, who made it, and what both halves had before it are lost";

/** The record to resolve. To forget one it is enough to know that it is there. @throws StateError when nothing was interrupted */
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

/** Makes the same change again: what is so already is left alone. If QEMU has ended, there is no live half to finish. */
async function finish(place: Place, held: Held, journal: Journal, options: LockedOptions): Promise<Done> {
  const hasLive = await hasLiveHalf(journal);
  const hasStatic = journal.config !== null || isOff(journal);
  if (!hasLive && !hasStatic) return NOTHING;
  const scope = hasLive && hasStatic ? "both" : hasLive ? "dynamic" : "static";
  const settled = [...(hasStatic ? ["static" as const] : []), ...(hasLive ? ["dynamic" as const] : [])];
  const wanted = hasLive ? changesToFinish(journal) : journal.changes.map(({ change }) => change);
  return { reports: [await changeLocked(place, held, wanted, { ...options, scope })], restoredConfig: false, settled };
}

/** Takes the live half back to what it was, and then the config, byte for byte. */
async function undo(place: Place, held: Held, journal: Journal, options: LockedOptions): Promise<Done> {
  const live = await hasLiveHalf(journal);
  // What was done to a machine that does not run is not in its config's text.
  if (isOff(journal)) {
    const values = valuesBefore(journal, ({ config: value }) => value);
    return {
      reports: [await changeLocked(place, held, values, { ...options, scope: "static" })],
      restoredConfig: false,
      settled: ["static"],
    };
  }
  const back = live ? changesToUndo(journal) : null;
  const reports =
    back === null ? [] : [await changeLocked(place, held, back, { ...options, scope: "dynamic", threadsBefore: journal.own })];
  const settled = [...(journal.config !== null ? ["static" as const] : []), ...(live ? ["dynamic" as const] : [])];
  const stored = await readStored(place);
  if (stored === null || journal.config === null || stored.text === journal.config.before)
    return { reports, restoredConfig: false, settled };
  if (stored.text === journal.config.after) {
    if (options.dryRun !== true) await restore(stored, journal.config.before);
    return { reports, restoredConfig: true, settled };
  }
  // If somebody has edited the config since, only the values of this change go back.
  const values = valuesBefore(journal, ({ config: value, configBack = value }) => configBack);
  return {
    reports: [...reports, await changeLocked(place, { ...held, stored }, values, { ...options, scope: "static" })],
    restoredConfig: false,
    settled,
  };
}

/** Whether it is of a machine that did not run: such a record is kept of what is done to its images. */
function isOff({ machine, changes }: Journal): boolean {
  return machine === null && changes.some(({ change }) => kindOf(change).isImage === true) && changes.every(({ live }) => live === null);
}

/** Whether there is a live half to resolve. If its process was never known, as on another host, its monitor is asked. */
async function hasLiveHalf(journal: Journal): Promise<boolean> {
  if (isOff(journal)) return false;
  return (await isMachineThere(journal)) ?? true;
}

async function restore(stored: Stored, text: string): Promise<void> {
  const prepared = await prepareConfig(stored, text);
  try {
    await prepared.commit();
  } finally {
    await prepared.drop();
  }
}
