import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { fractionsFrom } from "../lab/fractions.ts";
import type { Qemu } from "../lab/machine.ts";
import { openFake } from "./fake-rig.ts";
import { type Call, type CallVerdict, Gate } from "./gate.ts";
import type { Passing, Proxy, Verdict } from "./proxy.ts";
import { openReal, replugs } from "./real-rig.ts";
import { Command, type Kind, type Look, type Rig, textOf } from "./rig.ts";
import type { Outcome } from "./run.ts";
import { checkTaskEnd, checkTaskNext, type Start, startOf } from "./task-check.ts";
import { type Act, TASK_FAULTS, type TaskFault, type When } from "./task-faults.ts";
import { type Point, type Task, TASKS } from "./tasks.ts";

/** One fault at one point of a task. */
export interface TaskCase {
  readonly task: Task;
  readonly point: Point;
  readonly fault: TaskFault;
  readonly when: When;
}

/** Every case of every task; those that end the machine come last in each. */
export function taskCases(): readonly TaskCase[] {
  const cases = TASKS.flatMap((task) =>
    task.points.flatMap((point) => TASK_FAULTS.flatMap((fault) => fault.whens.map((when): TaskCase => ({ task, point, fault, when })))),
  );
  const rank = ({ task, fault }: TaskCase): number => TASKS.indexOf(task) * 2 + (fault.killsQemu === true ? 1 : 0);
  return cases.toSorted((one, other) => rank(one) - rank(other));
}

/** The names of a case's fault, step and task in tables. */
function namesOf({ task, point, fault, when }: TaskCase): Required<Pick<Outcome, "fault" | "step" | "task">> {
  return { fault: `${fault.name}, ${when}`, step: point.name, task: task.name };
}

/** Of the cases, those that are wanted: all, or a part of them by a seed. */
export interface Share {
  readonly wanted: (fault: string, step: string) => boolean;
  /** Null: all of them. */
  readonly seed: number | null;
}

function wantedOf(cases: readonly TaskCase[], { wanted }: Share): readonly TaskCase[] {
  return cases.filter((each) => wanted(namesOf(each).fault, namesOf(each).step));
}

/** Tries these cases on machines that `open` makes, one after the other. A machine serves all cases of its task while it lives. */
export async function tryCases(
  cases: readonly TaskCase[],
  open: (kind: Kind) => Promise<Rig>,
  note: (outcome: Outcome) => void,
): Promise<void> {
  let rig: Rig | undefined;
  let of: Task | undefined;
  const leave = async (): Promise<void> => {
    const last = rig;
    rig = undefined;
    await last?.[Symbol.asyncDispose]();
  };
  try {
    for (const [turn, each] of cases.entries()) {
      if (of !== each.task || (await rig?.look().catch(() => null)) == null) {
        await leave();
        of = each.task;
        rig = await ready(each.task, open);
      }
      const outcome = await tryCase(rig as Rig, each, turn % 2 === 0 ? "finish" : "undo");
      note(outcome);
      if (outcome.result === "broken") await leave();
    }
  } finally {
    await leave();
  }
}

/** A machine that is ready for a task. */
async function ready(task: Task, open: (kind: Kind) => Promise<Rig>): Promise<Rig> {
  const rig = await open(task.kind);
  try {
    await task.prepare(rig);
    if (task.odd !== undefined) await rig.domain.change(task.odd, { scope: "dynamic" });
    return rig;
  } catch (error) {
    await rig[Symbol.asyncDispose]();
    throw error;
  }
}

async function tryCase(rig: Rig, each: TaskCase, how: "finish" | "undo"): Promise<Outcome> {
  const about = { machine: rig.name, ...namesOf(each) };
  try {
    const start = await startOf(rig, each.task);
    const { reached, code } = await strike(rig, each, start);
    if (reached && each.point.isGone !== undefined && code !== 0) await untilGone(rig, each.point.isGone, start);
    await checkTaskNext(rig, each.task, start, how, code === null);
    return { ...about, result: reached ? "held" : "not reached" };
  } catch (error) {
    return { ...about, result: "broken", why: messageOf(error) };
  } finally {
    rig.proxy.arm(undefined);
    rig.agent?.arm(undefined);
  }
}

/** Runs the command, has the fault happen at its point, and checks the end. */
async function strike(rig: Rig, { task, point, fault, when }: TaskCase, start: Start): Promise<{ reached: boolean; code: number | null }> {
  const folder = join(rig.runtime, "..");
  const file = join(folder, "wanted.json");
  await writeFile(file, JSON.stringify(await task.wanted(rig)));
  let command: Command | undefined;
  let reached = false;
  const act = async (text: string): Promise<Act> => {
    reached = true;
    return fault.act(rig, command as Command, text);
  };
  await using gate = await Gate.open(join(folder, "gate"), async (call): Promise<CallVerdict> => {
    const isIt = !reached && point.call !== undefined && (await isCall(rig, point, call)) && call.when === when;
    return isIt ? (await act("")).call : "pass";
  });
  for (const [proxy, isIt] of [
    [rig.proxy, point.message],
    [rig.agent, point.agent],
  ] as const)
    if (isIt !== undefined) watch(proxy, isIt, when, async (text) => (reached ? undefined : (await act(text)).message));
  const scope = task.scope === "both" ? ["--static", "--dynamic"] : ["--dynamic"];
  command = new Command(rig, ["apply", "web", file, ...scope, "--json", "--force"], { path: gate.bin, gate: gate.folder });
  const ended = await command.ended;
  rig.proxy.arm(undefined);
  rig.agent?.arm(undefined);
  const edited = reached && fault.edits === true ? `${start.seen.text}\n` : undefined;
  await checkTaskEnd(rig, start, ended, reached ? fault.codes(task, point) : [0], edited);
  if (edited !== undefined && (await textOf(rig)) === edited) await writeFile(rig.configPath, start.seen.text);
  return { reached, code: ended.code };
}

async function isCall(rig: Rig, { call }: Point, asked: Call): Promise<boolean> {
  return call?.(asked, await rig.tids()) === true;
}

/** Watches for the message of a point, or for its answer. */
function watch(proxy: Proxy | undefined, isIt: (passing: Passing) => boolean, when: When, act: (text: string) => Promise<Verdict>): void {
  let asked: string | undefined;
  proxy?.arm(async (passing) => {
    if (passing.from === "client" && isIt(passing)) {
      if (when === "before") return act(passing.text);
      asked = passing.command;
    }
    return passing.from === "qemu" && asked !== undefined && passing.command === asked ? act(passing.text) : undefined;
  });
}

/** How long a guest may take to let go of what QEMU was told to unplug, in milliseconds. */
const LETS_GO = 10_000;

/** Waits until the guest has done what can't be taken back, or has had the time for it. */
async function untilGone(rig: Rig, isGone: (look: Look) => boolean, { seen }: Start): Promise<void> {
  const end = performance.now() + LETS_GO;
  for (;;) {
    const look = await rig.look();
    if (look === null || isGone(look) || seen.state.live === null || performance.now() > end) return;
  }
}

/** Every case that a real QEMU can have. By a seed: of each task one, and one that ends the machine; none with an agent. */
export async function tasksOnReal(qemu: Qemu, share: Share, note: (outcome: Outcome) => void): Promise<void> {
  const able = wantedOf(taskCases(), share).filter(
    ({ task, point }) => (task.replugs !== true || replugs(qemu)) && point.onlyFake !== true,
  );
  await tryCases(share.seed === null ? able : few(able, share.seed), (kind) => openReal(qemu, kind), note);
}

function few(cases: readonly TaskCase[], seed: number): readonly TaskCase[] {
  const random = fractionsFrom(seed);
  const pick = (some: readonly TaskCase[], count: number): readonly TaskCase[] =>
    some
      .map((each) => [random(), each] as const)
      .sort(([one], [other]) => one - other)
      .slice(0, count)
      .map(([, each]) => each);
  return TASKS.filter(({ kind }) => kind !== "agent").flatMap((task) => {
    const own = cases.filter((each) => each.task === task);
    const ending = ({ fault }: TaskCase): boolean => fault.killsQemu === true;
    return [
      ...pick(
        own.filter((each) => !ending(each)),
        1,
      ),
      ...pick(own.filter(ending), 1),
    ];
  });
}

/** Every case on fakes; by a seed, one of eleven, so that each point has another fault. */
export async function tasksOnFake(share: Share, note: (outcome: Outcome) => void): Promise<void> {
  const { seed } = share;
  const cases = wantedOf(taskCases(), share).filter((_, position) => seed === null || position % PART === seed % PART);
  await tryCases(cases, openFake, note);
}

const PART = 11;
