import { HostError, isErrorCode, messageOf, QmpctlError, UsageError } from "../../errors.ts";
import { disarm } from "../../host/timers.ts";
import type { Report } from "../change/change-report.ts";
import { EndError } from "../change/errors.ts";
import type { WorkedOut } from "../change/plan-asking.ts";
import { threadsToCome } from "../change/plan.ts";
import { changeLocked } from "../change/transaction.ts";
import { refuseUnresolved } from "../change/unresolved.ts";
import { armTimer, timerPlan } from "../ends/arm.ts";
import { isAsLeft } from "../ends/as-left.ts";
import type { ChangeEnd, LastEnd } from "../ends/change-end.ts";
import { isGone, readEnds, writeEnds } from "../ends/record.ts";
import { showMoment } from "../ends/show-moment.ts";
import type { Facts } from "../facts/facts.ts";
import { type Held, lockDeadline, lockMachine } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { ChangeOptions } from "../model/change.ts";
import { commandLine } from "../model/format.ts";
import { formatValue, kindOf, nameOf, type Resource, threadKinds, withValue } from "../resources/registry.ts";
import { reportOfNothing } from "./nothing.ts";

/** After how many minutes it is tried again what failed, one after the other; then it is left to a person. */
const AGAIN: readonly number[] = [1, 2, 5, 15, 60];

/**
 * Takes back what a change with an end has left, as an ordinary change: only what is still as it left it. `word`: the key of that end; with
 * the number of the attempt when its timer asks, which then arms itself again if that fails.
 *
 * @throws EndError when it failed; UsageError when it is no key; what `changeDomain` throws
 */
export async function takeBack(place: Place, word: string, options: ChangeOptions): Promise<Report> {
  const [, key = "", attempt] = /^([0-9a-f]{12})(?:-(\d{1,2}))?$/.exec(word) ?? [];
  if (key === "")
    throw new UsageError(`end ${JSON.stringify(word)}: no key of an end`, { value: word, expected: "a key, as info shows it" });
  try {
    await using held = await lockMachine(place, { ...options, by: lockDeadline(options.timeout) });
    if (options.dryRun !== true) await refuseUnresolved(place, held);
    const kept = await readEnds(held.books);
    const end = kept.ends.find((each) => each.key === key);
    if (end === undefined && kept.unreadable !== undefined)
      throw new HostError(`${kept.unreadable}: what the end is to take back is not known; change it by hand`);
    if (end === undefined) return reportOfNothing(place.name, held, [UNKNOWN]);
    if (await isGone(end)) return await nothing(place, held, end, options, [GONE]);
    return await takeBackLocked(place, held, end, options);
  } catch (error) {
    if (attempt === undefined || options.signal?.aborted === true || isErrorCode(error, "usage")) throw error;
    throw await again(place, key, Number(attempt), error);
  }
}

const UNKNOWN = "no such end is known: it was cancelled or taken back, or another change took its place; nothing is taken back";
const GONE = "the machine that it was made on has ended: nothing is left to take back";

async function takeBackLocked(place: Place, held: Held, end: ChangeEnd, options: ChangeOptions): Promise<Report> {
  const notes: string[] = [];
  const wanted = wantedOf(end, (note) => notes.push(note));
  // While its record is there still: who dies before it leaves a change to be resolved, and not one that ended and is not known to have.
  const onEnded = async (outcome: object): Promise<void> => {
    const report = "report" in outcome ? (outcome as { readonly report: Report }).report : (outcome as Report);
    if (!(outcome instanceof Error)) await close(held, end, report, notes);
    await options.onEnded?.(outcome);
  };
  const { for: _for, until: _until, scope: _scope, ...rest } = options;
  try {
    const report = await changeLocked(place, held, wanted, {
      ...rest,
      scope: "dynamic",
      force: end.force || options.force === true,
      onEnded,
      ofEnd: end.key,
    });
    const told = { ...report, notes: [...notes, ...report.notes] };
    if (options.dryRun === true) return told;
    await disarm(end.timer).catch(() => undefined);
    return told;
  } catch (error) {
    if (options.dryRun !== true) await noteFailure(held, end, error).catch(() => undefined);
    throw error;
  }
}

/** What takes it back, worked out from how the machine is then. What is not as it was left is told, and left alone. */
function wantedOf({ items, threads }: ChangeEnd, tell: (note: string) => void): WorkedOut {
  const resources = new Set<Resource>(items.map(({ change }) => change.resource));
  const backs = items.flatMap(({ change, back }) => (back === null ? [] : [withValue(change, back)]));
  for (const { resource } of [...backs, ...threadKinds(backs)]) resources.add(resource as Resource);
  let isTold = false;
  const work = ({ live, ...facts }: Facts): ReturnType<WorkedOut> => {
    if (live === null) return [];
    const now = { ...facts, live };
    const back = items.flatMap(({ change, before, back: value }) => {
      const name = nameOf(change);
      const isSo = isAsLeft({ change }, now);
      const [left, found] = [kindOf(change).wanted(change), kindOf(change).inLive(change, live)];
      const what = found === before ? "again already" : "now: not touched";
      if (!isSo && !isTold) tell(`${name}: left at ${formatValue(name, left)}, is ${formatValue(name, found)} ${what}`);
      return isSo && value !== null ? [withValue(change, value)] : [];
    });
    isTold = true;
    // A thread that comes back gets what the one before it had.
    const coming = threadsToCome(back, now);
    const named = new Set(back.map(nameOf));
    const had = threads.filter((change) => !named.has(nameOf(change)) && coming.has(kindOf(change).ofThreads?.thread(change) ?? ""));
    return [...back, ...had];
  };
  return Object.assign(work, { oneHalf: true, inPart: true, among: [...resources] });
}

/** Writes down how it ended. What could not be changed while the rest was stays armed for nothing: it is told. */
async function close(held: Held, end: ChangeEnd, report: Report, notes: readonly string[]): Promise<void> {
  const done = report.changes
    .filter(({ dynamic: { wanted, before } }) => wanted !== null && wanted !== before)
    .map(({ change, dynamic: { outcome, before, actual } }) => {
      const name = nameOf(change);
      return `${name}: ${formatValue(name, before)} -> ${formatValue(name, actual)}, ${outcome}`;
    });
  await finish(held, end, { due: end.due, at: new Date().toISOString(), outcome: report.outcome, notes: [...done, ...notes] });
}

async function finish(held: Held, end: ChangeEnd, last: LastEnd): Promise<void> {
  const kept = await readEnds(held.books);
  await writeEnds(held.books, { ends: kept.ends.filter(({ key }) => key !== end.key), last });
}

async function nothing(place: Place, held: Held, end: ChangeEnd, { dryRun }: ChangeOptions, notes: readonly string[]): Promise<Report> {
  if (dryRun !== true) {
    await finish(held, end, { due: end.due, at: new Date().toISOString(), outcome: "unchanged", notes });
    await disarm(end.timer).catch(() => undefined);
  }
  return reportOfNothing(place.name, held, notes);
}

/** Keeps why it failed, for `info`: the end stays in force. What was taken back before is so already, the next time. */
async function noteFailure(held: Held, end: ChangeEnd, error: unknown): Promise<void> {
  const kept = await readEnds(held.books);
  const failure = { at: new Date().toISOString(), why: messageOf(error) };
  await writeEnds(held.books, { ...kept, ends: kept.ends.map((each) => (each.key === end.key ? { ...each, failure } : each)) });
}

/** Arms the next attempt, while there is one. */
async function again(place: Place, key: string, attempt: number, error: unknown): Promise<EndError> {
  const report = error instanceof QmpctlError && "report" in error ? (error.report as Report) : undefined;
  const minutes = AGAIN[attempt - 1];
  const byHand = `\`${commandLine("revert", place.name, "--end", key)}\` takes it back by hand`;
  if (minutes === undefined) return new EndError(error, null, report, `it is not tried again; ${byHand}`);
  const next = await armAgain(place, key, attempt, minutes).catch(messageOf);
  if (typeof next === "string") return new EndError(error, null, report, `it can't be tried again by itself (${next}); ${byHand}`);
  return new EndError(error, new Date(next).toISOString(), report, `it is tried again at ${showMoment(next)}`);
}

/** When the next attempt is made, in milliseconds since 1970. */
async function armAgain(place: Place, key: string, attempt: number, minutes: number): Promise<number> {
  await using held = await lockMachine(place, { dryRun: true });
  const plan = await timerPlan(place, held.books);
  if (typeof plan === "string") throw new Error(plan);
  const { due } = await armTimer(plan, key, attempt + 1, (now) => now + minutes * 60_000);
  return due;
}
