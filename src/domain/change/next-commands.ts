import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Outcome, Value } from "../model/change.ts";
import { DiedError } from "../model/errors.ts";
import { shellWord } from "../model/format.ts";
import { domainStateOf } from "../model/run-state.ts";
import type { Change } from "../resources/registry.ts";
import { kindOf, stepKindOf, withValue } from "../resources/registry.ts";
import type { StepRecord } from "./apply.ts";
import type { Report } from "./change-report.ts";
import type { Ending } from "./ending.ts";
import { notesAfter } from "./notes-after.ts";
import { plan, type PlannedChange, type PlannedHalf } from "./plan.ts";

interface Halves {
  readonly static: boolean;
  readonly dynamic: boolean;
}

/** S13 Report: the command that finishes what is left, and the one that takes back what was done. */
export function nextCommands(outcome: Outcome, ending: Ending): Pick<Report, "finish" | "takeBack"> {
  if (outcome !== "failed" && outcome !== "pending" && !(outcome === "applied" && ending.tellsTakeBack)) return {};
  if (ending.records.some(({ cause }) => cause instanceof DiedError)) return afterDeath(ending);
  const finish = ending.plan.changes.flatMap((planned, position) => finishing(planned, recordsAt(position, ending), ending));
  const back = ending.plan.changes.flatMap((planned, position) => takingBack(planned, recordsAt(position, ending), ending));
  return { ...(finish.length > 0 ? { finish: finish.join(" && ") } : {}), ...(back.length > 0 ? { takeBack: back.join(" && ") } : {}) };
}

/** After QEMU has died, what is left is to write the config and to start it again. */
function afterDeath({ plan, name, committed, facts }: Ending): Pick<Report, "finish"> {
  if (facts.config === null) return {};
  const writes = plan.changes.flatMap(({ change, static: half }) =>
    commandFor(change, name, { static: half?.needed === true && !committed, dynamic: false }),
  );
  return { finish: [...writes, `qmpctl start ${shellWord(name)}`].join(" && ") };
}

function recordsAt(position: number, { records }: Ending): readonly StepRecord[] {
  return records.filter((record) => record.change === position);
}

function finishing(
  { change, static: half }: PlannedChange,
  records: readonly StepRecord[],
  { name, committed }: Ending,
): readonly string[] {
  const dynamic = records.some(({ outcome }) => outcome !== "done");
  return commandFor(change, name, { static: half?.needed === true && !committed, dynamic });
}

/** There is no command if there is no way back: QEMU has accepted an unplug, or the vCPU must not be plugged again. */
function takingBack(
  { change, static: half, dynamic: live }: PlannedChange,
  records: readonly StepRecord[],
  ending: Ending,
): readonly string[] {
  const { name, committed } = ending;
  const stuck = records.some(({ step, outcome }) => stepKindOf(step).hasNoWayBack?.(step, outcome) === true);
  const left = records.some(({ outcome }) => ["done", "pending", "failed", "undo-failed"].includes(outcome));
  const allowed = (value: Value, halves: Halves): Value =>
    value !== null && !wouldBeRefused(withValue(change, value), halves, ending) ? value : null;
  const before = allowed(committed && half?.needed === true ? configBefore(change, half, ending) : null, { static: true, dynamic: false });
  const running = allowed(left && !stuck ? liveBefore(change, live, ending) : null, { static: false, dynamic: true });
  if (before !== null && before === running) return commandFor(withValue(change, before), name, { static: true, dynamic: true });
  return [
    ...(running === null ? [] : commandFor(withValue(change, running), name, { static: false, dynamic: true })),
    ...(before === null ? [] : commandFor(withValue(change, before), name, { static: true, dynamic: false })),
  ];
}

/** What the config had, in the same way. */
function configBefore(change: Change, { before }: PlannedHalf, { facts: { config } }: Ending): Value {
  return (config === null ? undefined : kindOf(change).configBack?.(change, config)) ?? before;
}

/** What the live half had: where its value alone does not say it, as a number of vCPUs with a gap among them, what it goes back to. */
function liveBefore(change: Change, live: PlannedChange["dynamic"], { facts }: Ending): Value {
  if (live === null || facts.live === null || kindOf(change).isMixed?.(facts.live) === true) return null;
  const back = kindOf(change).back?.(change, { ...facts, live: facts.live }) ?? null;
  return typeof back === "string" ? back : live.before;
}

/** Whether a command would be refused: it is not shown then. */
function wouldBeRefused(change: Change, halves: Halves, { name, facts, records, after, plan: { text }, config }: Ending): boolean {
  const asked = facts.live === null ? facts.asked : notesAfter(facts as LiveFacts, records);
  const { why: _, ...known } = facts;
  const state = after.live === null ? "unreachable" : domainStateOf(after.live.status);
  const now: Facts = { ...known, config: after.config, live: after.live, asked, ...(halves.dynamic ? { state } : {}) };
  const stored = config === null ? null : { path: config.path, text: text ?? config.before };
  return (
    plan({ name, changes: [change], scope: halves.static ? "static" : "dynamic", force: false, facts: now, stored }).refusals.length > 0
  );
}

function commandFor(change: Change, name: string, halves: Halves): readonly string[] {
  if (!halves.static && !halves.dynamic) return [];
  const command = kindOf(change).command(change, name);
  return command === null ? [] : [`qmpctl ${command}${halves.static ? " --static" : ""}${halves.dynamic ? " --dynamic" : ""}`];
}
