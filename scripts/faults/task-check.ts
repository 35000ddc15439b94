import { isDeepStrictEqual } from "node:util";
import type { ChangeReport, Report } from "../../src/domain/change/change-report.ts";
import { InterruptedError } from "../../src/domain/change/interrupted-error.ts";
import { type Change, kindOf, nameOf } from "../../src/domain/resources/registry.ts";
import { messageOf } from "../../src/errors.ts";
import { Broken } from "./check.ts";
import type { Seen } from "./compare.ts";
import { inConfig, inLive, predict, type State } from "./model.ts";
import { type Ended, leftoversOf, type Look, type Rig } from "./rig.ts";
import { see } from "./see.ts";
import type { Task } from "./tasks.ts";

/** A machine before a trial: what is seen of it, what is wanted, and what that must lead to. */
export interface Start {
  readonly seen: Seen;
  readonly workers: Look["workers"];
  readonly changes: readonly Change[];
  /** The config's text, and both halves, if all of it is done. */
  readonly text: string;
  readonly state: State;
}

/** Reads both halves, and what the task would make of them. */
export async function startOf(rig: Rig, task: Task): Promise<Start> {
  const seen = await see(rig);
  const { changes, config } = await rig.domain.apply(await task.wanted(rig), { scope: task.scope, dryRun: true, force: true });
  const wanted = changes.map(({ change }) => change);
  const { after } = predict(seen.state, wanted, task.scope, rig.ends.base.mask);
  if (after === null) throw new Broken(`the model refuses ${JSON.stringify(wanted)} of ${JSON.stringify(seen.state)}`);
  return { seen, workers: (await rig.look())?.workers ?? {}, changes: wanted, text: config?.after ?? seen.text, state: after };
}

/** After the fault, the report and the exit code must agree with an independent look. `edited`: the config as others left it. */
export async function checkTaskEnd(
  rig: Rig,
  start: Start,
  ended: Ended,
  codes: readonly (number | null)[],
  edited?: string,
): Promise<void> {
  const now = await see(rig);
  const { code, report, stderr } = ended;
  const said = `${stderr}${ended.stdout}`;
  if (!codes.includes(code)) throw new Broken(`exit ${code} instead of ${codes.join(" or ")}: ${said}`);
  if (stderr.includes("internal error")) throw new Broken(stderr);
  if (![start.seen.text, start.text, edited].includes(now.text))
    throw new Broken(`the config is neither the old nor the new one:\n${now.text}`);
  if (report !== undefined) checkReport(report, now);
  if (code === 0)
    mustBe(now.state, { config: now.text === edited ? start.seen.state.config : start.state.config, live: start.state.live }, said);
  if (code === 1 || code === 130) {
    const untouched = now.state.live === null ? { ...start.seen.state, live: null } : start.seen.state;
    mustBe(now.state, untouched, `exit ${code}: ${said}`);
    await checkWorkers(rig, start, said);
  }
  if (code === 4 && report === undefined) throw new Broken(`exit 4 without a report: ${said}`);
  const left = await leftoversOf(rig);
  if (code !== null && left.length > 0) throw new Broken(`left beside the config: ${left.join(", ")}`);
}

/** What a report says of both halves must be so. What the guest was asked for and can't be taken back may happen after it. */
function checkReport(report: Report, now: Seen): void {
  const mayMove = report.steps.some(({ outcome }) => outcome === "undo-failed" || outcome === "pending");
  for (const each of report.changes) checkValues(each, now, mayMove);
}

function checkValues({ change, static: fixed, dynamic: live }: ChangeReport, { state }: Seen, mayMove: boolean): void {
  const [config, machine] = [inConfig(change, state), inLive(change, state)];
  if (short(fixed.actual) !== short(config))
    throw new Broken(`${nameOf(change)}: the report says that the config has ${fixed.actual}, it has ${config}`);
  if (short(live.actual) !== short(machine) && !(mayMove && [live.before, live.wanted].map(short).includes(short(machine))))
    throw new Broken(`${nameOf(change)}: the report says that the machine has ${live.actual}, it has ${machine}`);
}

/** QEMU shows the driver of a device, and not all of its words. Of an iothread, the model knows only how long it polls. */
function short(value: unknown): unknown {
  return typeof value === "string" ? value.replace(/,bus=\w+$|(?<=^poll-max-ns=\w+),.*$/, "") : value;
}

function mustBe(state: State, wanted: State, why: string): void {
  if (!isDeepStrictEqual(state, wanted)) throw new Broken(`it is not as it should be: ${differing(state, wanted).join("; ")} (${why})`);
}

/** Where two objects differ, by the path. */
function differing(one: unknown, other: unknown, path = ""): readonly string[] {
  if (isDeepStrictEqual(one, other)) return [];
  const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
  if (!isObject(one) || !isObject(other)) return [`${path} is ${JSON.stringify(one)}, not ${JSON.stringify(other)}`];
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].flatMap((key) => differing(Reflect.get(one, key), Reflect.get(other, key), path === "" ? key : `${path}.${key}`));
}

/** Each thread that was there and still is must have what it had. */
async function checkWorkers(rig: Rig, { workers }: Start, why: string): Promise<void> {
  const now = (await rig.look())?.workers ?? {};
  const moved = Object.entries(now).filter(([tid, has]) => workers[tid] !== undefined && workers[tid] !== has);
  if (moved.length > 0)
    throw new Broken(`workers have ${JSON.stringify(Object.fromEntries(moved))}, and had ${JSON.stringify(workers)} (${why})`);
}

/**
 * The next command must work, or name the interrupted change, which is resolved then. At the end the machine is as at the start. `killed`:
 * the process of the change was killed.
 */
export async function checkTaskNext(rig: Rig, task: Task, start: Start, how: "finish" | "undo", killed: boolean): Promise<void> {
  const now = await see(rig);
  const halfDone = !isDeepStrictEqual(now.state, start.seen.state) && !isDeepStrictEqual(now.state, start.state);
  const error = await goBack(rig, task, start).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error !== undefined && !(error instanceof InterruptedError)) throw new Broken(`the next command: ${messageOf(error)}`);
  if (error instanceof InterruptedError) {
    checkTold(error, now, await see(rig));
    await checkTaskRecovery(rig, start, how);
    await goBack(rig, task, start);
  } else if (killed && halfDone && now.state.live !== null)
    throw new Broken(`nothing says that a change was interrupted: ${differing(now.state, start.seen.state).join("; ")}`);
  const { state } = await see(rig);
  const end = state.live === null ? { ...start.seen.state, live: null } : start.seen.state;
  mustBe(state, end, "after the next command");
}

/** What is told of an interrupted change must be so: at one of two looks, as the guest may still be on its way. */
function checkTold({ interrupted }: InterruptedError, ...seen: readonly Seen[]): void {
  for (const { change, now } of interrupted.changes) {
    const values = seen.map(({ state }) => [short(inConfig(change, state)), short(inLive(change, state))] as const);
    if (!values.some(([config, live]) => short(now.config) === config && short(now.live) === live))
      throw new Broken(`${nameOf(change)}: it is told as ${JSON.stringify(now)}, and is ${JSON.stringify(values)}`);
  }
}

/** Resolves the interrupted change: what the report says, both halves, and each thread must be as promised. */
async function checkTaskRecovery(rig: Rig, start: Start, how: "finish" | "undo"): Promise<void> {
  const { reports } = await rig.domain.recover(how, { timeout: 20_000, force: true });
  const now = await see(rig);
  for (const report of reports) checkReport(report, now);
  const [text, state] = how === "finish" ? [start.text, start.state] : [start.seen.text, start.seen.state];
  if (now.text !== text) throw new Broken(`after recover --${how} the config is\n${now.text}`);
  mustBe(now.state, now.state.live === null ? { ...state, live: null } : state, `after recover --${how}`);
  if (how === "undo") await checkWorkers(rig, start, "after recover --undo");
  if ((await rig.domain.interrupted()) !== null) throw new Broken(`recover --${how} left the change unresolved`);
}

/** Brings both halves back to what they had. */
async function goBack(rig: Rig, { odd = [] }: Task, { seen: { state }, changes }: Start): Promise<void> {
  const to = (value: number | string | null, change: Change): readonly Change[] =>
    value === null ? [] : [kindOf(change).withValue(change, value) as Change];
  const options = { timeout: 20_000, force: true };
  const fixed = changes.flatMap((change) => to(inConfig(change, state), change));
  if (fixed.length > 0) await rig.domain.change(fixed, { scope: "static", ...options });
  if ((await rig.look()) === null) return;
  const live = changes.flatMap((change) => to(inLive(change, state), change));
  await rig.domain.change([...live, ...odd.filter((each) => !live.some((it) => nameOf(it) === nameOf(each)))], {
    scope: "dynamic",
    ...options,
  });
}
