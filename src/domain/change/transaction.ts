import { prepareConfig, type Prepared, type Stored } from "../../config/store.ts";
import { deadlineIn, now } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import { hasEnds } from "../ends/record.ts";
import { readersTold } from "../facts/live.ts";
import { openFor } from "../facts/open.ts";
import { readFacts } from "../facts/read.ts";
import { type Held, lockDeadline, lockMachine } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { WaitNotice } from "../machine/wait-notice.ts";
import type { ChangeOptions } from "../model/change.ts";
import { nameOf } from "../resources/registry.ts";
import { applyOff, undoOff } from "./apply-off.ts";
import { applySteps } from "./apply.ts";
import type { Report } from "./change-report.ts";
import { type Context, contextOf, workOf } from "./context.ts";
import type { Ending } from "./ending.ts";
import { ChangeError, RefusedError } from "./errors.ts";
import type { LockedOptions } from "./locked-options.ts";
import { configReaderFor, planAsking, readersFor, type Wanted } from "./plan-asking.ts";
import type { Plan } from "./plan.ts";
import { type After, readBack } from "./read-back.ts";
import { reportOf } from "./report.ts";
import { closed } from "./telling.ts";
import type { TimedChange } from "./timed-change.ts";
import type { TimedWork } from "./timed-work.ts";
import { UNDO_TIMEOUT, undoSteps } from "./undo.ts";
import { refuseUnresolved, sweep, toResolve, unresolved } from "./unresolved.ts";

export type { Wanted, WorkedOut } from "./plan-asking.ts";

/** How long the live half may take, in milliseconds, unless the caller says otherwise. */
export const CHANGE_TIMEOUT = 30_000;

/**
 * Makes one change of a domain, from the lock to the report. The steps S1 to S13 are those of SCOPES.md: if one fails, what was done before
 * it is taken back.
 *
 * @throws RefusedError when nothing was touched; ChangeError when the change was rolled back, or is partial; LockedError; ConfigError;
 * UsageError; the signal's reason
 */
export async function changeDomain(place: Place, wanted: Wanted, options: ChangeOptions): Promise<Report> {
  options.signal?.throwIfAborted();
  // S1 Lock, S2 Find. A dry run takes no lock: a journal that it found could be a living writer's.
  await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout) });
  if (options.dryRun !== true) await refuseUnresolved(place, held);
  return await changeLocked(place, held, wanted, options);
}

/** What the change has to do with those that end by themselves: null for most, which neither end so nor come after one that does. */
async function endsOf(work: TimedWork): Promise<TimedChange | null> {
  const { options, held } = work;
  if (options.for === undefined && options.until === undefined && !hasEnds(held.books)) return null;
  return (await import("./timed-change.ts")).TimedChange.of(work);
}

/** Makes a change of a machine whose lock is held and which has nothing left to be resolved. @throws as `changeDomain` does */
export async function changeLocked(place: Place, held: Held, wanted: Wanted, options: LockedOptions): Promise<Report> {
  const deadline = deadlineIn(options.timeout ?? CHANGE_TIMEOUT);
  using notice = new WaitNotice(options.onProgress);
  notice.enter("waiting for QEMU", deadline);
  const until = { by: deadline, signal: options.signal };

  // S3 Open
  const onHeld = (what: string): void => notice.enter(what, deadline);
  await using opened = await openFor(place, held, { ...until, heldBy: deadline, onHeld });

  // S4 Read
  const onConfig = configReaderFor(wanted);
  const readers = readersTold({ config: held.stored?.config ?? null }, await readersFor(wanted));
  const read = await readFacts(place, held, opened, { ...until, readers, onConfig });

  // S5 Plan
  const scope = options.scope ?? "current";
  const known = options.threadsBefore === undefined ? read : { ...read, threadsBefore: options.threadsBefore };
  const input = { scope, force: options.force ?? false, facts: known, stored: held.stored };
  const { facts, planned } = await planAsking(place.name, wanted, input, opened.open, until);

  const ends = await endsOf({ place, held, options, scope, facts, plan: planned });
  const plan = ends?.plan ?? planned;

  // A monitor that did not answer is not asked again.
  const monitor = facts.live === null ? null : opened.open;
  notice.enter("waiting for QEMU", deadline, { pid: monitor?.pid ?? null });
  return await carryOut(contextOf({ place, held, options, scope, monitor, facts, readers, onConfig, plan, ends, deadline, notice }));
}

/** S6 to S13: does what is planned. The order of the writes is the promise: whenever we die, the next reader can tell how far we came. */
async function carryOut(change: Context): Promise<Report> {
  if (change.plan.refusals.length > 0) throw new RefusedError(report(change, { after: change.facts }));
  if (change.options.dryRun) return await dryRunReport(change);
  let prepared: Prepared | null = null;
  let committed: Stored | null;
  try {
    prepared = await prepare(change);
    // Armed before anything is touched: without its record, a timer does nothing.
    await change.ends?.arm();
    if (change.records.length > 0 || prepared !== null) await change.options.onBegun?.();
    await change.books.openJournal();
    await apply(change);
    change.options.signal?.throwIfAborted();
    committed = await commit(change, prepared);
    await change.ends?.keep(change.notes);
  } catch (error) {
    await prepared?.drop();
    const silent = await undo(change);
    await change.ends?.afterFailure(change.records, change.notes);
    throw await closed(change, () => reportFailure(change, error, silent));
  }
  return await closed(change, () => reportSuccess(change, committed));
}

/** What would be done. If another change has to be resolved first, it says that. */
async function dryRunReport(change: Context): Promise<Report> {
  const { place, held, facts, options } = change;
  change.notes.push(...(change.ends?.forecast() ?? []));
  const planned = report(change, { after: facts });
  const left = options.resolving === true ? null : await unresolved(place, held.books, held.stored, facts);
  if (left === null) return planned;
  const first = toResolve(place.name, left);
  return { ...planned, notes: [...planned.notes, first], toResolve: first };
}

/** S6 Prepare: the config's next text, in a file beside it. Null if the config stays as it is. */
async function prepare({ held: { stored }, plan }: Context): Promise<Prepared | null> {
  if (stored === null) return null;
  // What writers that died have left there: under the lock there is no living one.
  await sweep(stored);
  return plan.text === null ? null : prepareConfig(stored, plan.text);
}

/** S8 Notes, S9 Apply, S10 Read back: the live steps. An accepted unplug can't be withdrawn, so each is noted before it is asked for. */
async function apply(change: Context): Promise<void> {
  const { records, books } = change;
  if (records.length === 0) return;
  if (change.monitor === null) return await applyOff(records, { signal: change.options.signal });
  await books.noteIntent();
  try {
    await applySteps(records, { ...workOf(change), onBegun: () => books.noteIntent() });
  } finally {
    await books.noteDone();
  }
}

/** S11 Commit: the prepared file becomes the config. */
async function commit({ notes }: Context, prepared: Prepared | null): Promise<Stored | null> {
  if (prepared === null) return null;
  const committed = await prepared.commit();
  if (prepared.note !== null) notes.push(prepared.note);
  return committed;
}

/**
 * S12 Undo: takes back what was begun, or keeps it if the caller wants that. It has a deadline of its own.
 *
 * @returns the error of a monitor that answered nothing during all of it; undefined if it answered
 */
async function undo(change: Context): Promise<unknown> {
  const { options, records, notice, monitor, books } = change;
  if (options.onFailure === "keep") {
    for (const record of records) if (record.outcome === "planned") record.outcome = "skipped";
    return undefined;
  }
  if (records.length === 0) return undefined;
  if (monitor === null) return void undoOff(records);
  const deadline = deadlineIn(options.undoTimeout ?? UNDO_TIMEOUT);
  notice.enter("undoing what is half done", deadline, { undoing: true, pid: monitor?.pid ?? null });
  const silent = await undoSteps(records, { ...workOf(change), deadline });
  await books.noteDone();
  return silent;
}

/** S13 Report, of a change that was undone, or kept as far as it came. */
async function reportFailure(change: Context, error: unknown, silent: unknown): Promise<ChangeError> {
  const failure = messageOf(error);
  const { now } = await readAgain(change, silent);
  return new ChangeError(report(change, { after: now, failure }), failure, { cause: error });
}

/** S13 Report, of a change that was done. @throws ChangeError if some of it could not be made, or QEMU died after it */
async function reportSuccess(change: Context, committed: Stored | null): Promise<Report> {
  const { plan, facts, records, notes } = change;
  if (plan.halves.static && committed !== null && facts.state !== "stopped")
    notes.push("the config is for the next start: a reboot from inside the guest keeps the machine as it is");
  // Nothing was sent or written: what was read under the lock a moment ago is how it is.
  if (records.length === 0 && committed === null) return report(change, { after: facts });
  const { now: after, died } = await readAgain(change);
  if (died === null && plan.left !== undefined && plan.left.length > 0) throw partial(change, plan.left, { after, committed });
  if (died === null || records.length === 0) return report(change, { after, committed });
  // All was done and read back, and is gone with QEMU.
  for (const record of records) Object.assign(record, { outcome: "failed", reason: died.message, cause: died });
  throw new ChangeError(report(change, { after, committed, failure: died.message }), died.message, { cause: died });
}

function readAgain({ place, monitor, options, readers, onConfig, notes }: Context, silent?: unknown): Promise<After> {
  return readBack(place, monitor, { timeout: options.undoTimeout, silent, readers, onConfig, tell: (note) => notes.push(note) });
}

/** Some changes of the set could be made and are; the others are left as they are. */
function partial(change: Context, left: NonNullable<Plan["left"]>, end: End): ChangeError {
  const reasons = left.flatMap(({ refusals }) => refusals.map(({ reason }) => reason));
  const why = `${left.map((each) => nameOf(each.change)).join(", ")} could not be changed, the rest is done: ${reasons.join("; ")}`;
  return new ChangeError(report(change, { ...end, failure: why }), why, { cause: new Error(why) });
}

/** How a change ended: what is read of both halves, and what was committed and what failed, if anything. */
interface End {
  readonly after: Ending["after"];
  readonly committed?: Stored | null;
  readonly failure?: string;
}

function report({ place, held, options, ...change }: Context, { after, committed = null, failure }: End): Report {
  const { scope, facts, plan, records, ends, notes, start } = change;
  const { stored } = held;
  return reportOf({
    name: place.name,
    scope,
    facts,
    plan,
    records,
    after,
    committed: committed !== null,
    failure: failure ?? null,
    dryRun: options.dryRun ?? false,
    tellsTakeBack: options.takeBack ?? false,
    end: ends?.reported,
    notes,
    config: stored === null || plan.text === null ? null : { path: stored.path, before: stored.text, after: plan.text },
    elapsed: Math.round(now() - start),
  });
}
