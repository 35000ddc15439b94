import type { LaunchConfig } from "../../config/launch.ts";
import { hostChange } from "../facts/host-memory-change.ts";
import type { Live } from "../facts/live.ts";
import type { Leg, LegOutcome, Outcome, Value } from "../model/change.ts";
import { foldVcpus } from "../model/format.ts";
import { kindOf, nameOf } from "../resources/registry.ts";
import { reportStep, type StepRecord } from "./apply.ts";
import type { ChangeReport, Report } from "./change-report.ts";
import type { Ending } from "./ending.ts";
import { nextCommands } from "./next-commands.ts";
import type { Plan, PlannedChange, PlannedHalf } from "./plan.ts";
import { remarksOf } from "./remarks.ts";

/** S13 Report: puts the answer together from what was planned, done and read back. */
export function reportOf(ending: Ending): Report {
  const { plan, facts } = ending;
  const changes = plan.changes.map((planned, position) => changeReport(planned, position, ending));
  const outcome = overall(changes, ending);
  return {
    domain: ending.name,
    scope: ending.scope,
    state: facts.state,
    outcome,
    changes: [...changes, ...(plan.left ?? []).map((left) => leftOver(left, ending))],
    steps: ending.records.map((record) => reportStep(record, facts)),
    ...hostPart(ending),
    refusals: plan.refusals,
    notes: foldVcpus([...ending.notes, ...changedByOthers(changes), ...remarksOf(ending)]),
    ...(ending.end === undefined ? {} : { end: ending.end }),
    ...nextCommands(outcome, ending),
    // A text that was never written and never will be is not reported.
    ...(ending.config !== null && (ending.committed || ending.dryRun) ? { config: ending.config } : {}),
    elapsed: ending.elapsed,
  };
}

/** What the host's memory did, if steps were sent that move the guest's. */
function hostPart({ plan, facts: { live: before }, after: { live: after }, records }: Ending): Pick<Report, "host" | "hostDenied"> {
  const moved = records.some(({ change, outcome }) => {
    const planned = plan.changes[change];
    return planned !== undefined && kindOf(planned.change).movesHostMemory === true && outcome !== "planned" && outcome !== "skipped";
  });
  if (!moved || before === null || after === null) return {};
  const host = hostChange(before, after);
  const hostDenied = after.hostDenied ?? before.hostDenied;
  return { ...(host === null ? {} : { host }), ...(hostDenied === undefined ? {} : { hostDenied }) };
}

/** The report of a change that could not be made while the others of its set were. */
function leftOver({ change, refusals }: NonNullable<Plan["left"]>[number], { facts, after }: Ending): ChangeReport {
  const read = (live: Live | null): Value => (live === null ? null : kindOf(change).inLive(change, live));
  const now: Value = after.config === null ? null : kindOf(change).inConfig(change, after.config);
  const reason = refusals.map((refusal) => refusal.reason).join("; ");
  return {
    change,
    static: { outcome: "skipped", before: now, wanted: null, actual: now },
    dynamic: { outcome: "skipped", before: read(facts.live), wanted: kindOf(change).wanted(change), actual: read(after.live), reason },
  };
}

/** Notes on values that were taken back and still are not as they were. Memory is not among them: only the guest moves it. */
function changedByOthers(changes: readonly ChangeReport[]): readonly string[] {
  return changes.flatMap(({ change, dynamic: { outcome, before, actual } }) => {
    const other =
      outcome === "rolled-back" && kindOf(change).guestMoves !== true && before !== null && actual !== null && actual !== before;
    return other ? [`${nameOf(change)}: ${before} before, ${actual} now: our part was undone; somebody else changed it meanwhile`] : [];
  });
}

function overall(changes: readonly ChangeReport[], { plan, dryRun, failure }: Ending): Outcome {
  if (plan.refusals.length > 0) return "refused";
  if (dryRun) return "planned";
  const halves = changes.flatMap((change) => [change.static.outcome, change.dynamic.outcome]);
  const has = (...outcomes: readonly LegOutcome[]): boolean => halves.some((outcome) => outcomes.includes(outcome));
  // If something was done and kept while the rest failed, it is not as it was.
  if (has("failed") || (failure !== null && has("pending", "applied"))) return "failed";
  if (failure !== null) return "rolled-back";
  return has("pending") ? "pending" : has("applied") ? "applied" : "unchanged";
}

function changeReport(planned: PlannedChange, position: number, ending: Ending): ChangeReport {
  const { change } = planned;
  return { change, static: staticHalf(planned, position, ending), dynamic: dynamicHalf(planned, position, ending) };
}

function staticHalf({ change, static: half }: PlannedChange, position: number, ending: Ending): Leg {
  const read = (config: LaunchConfig | null): Value => (config === null ? null : kindOf(change).inConfig(change, config));
  const base = { before: read(ending.facts.config), wanted: kindOf(change).wanted(change), actual: read(ending.after.config) };
  if (half === null) return { ...base, outcome: "skipped", wanted: null };
  // Both halves are one thing: what became of the steps, became of it.
  const isDone = kindOf(change).isImage === true && half.needed && ending.plan.refusals.length === 0 && !ending.dryRun;
  return { ...base, ...(isDone ? dynamicEnd(ending.records.filter((record) => record.change === position)) : staticEnd(half, ending)) };
}

function staticEnd(half: PlannedHalf, { plan, committed, failure, dryRun }: Ending): Pick<Leg, "outcome" | "reason"> {
  if (!half.needed) return { outcome: "unchanged" };
  if (plan.refusals.length > 0 || dryRun) return { outcome: "skipped" };
  if (committed) return { outcome: "applied" };
  return { outcome: "rolled-back", reason: failure ?? "never reached" };
}

function dynamicHalf({ change, dynamic: half }: PlannedChange, position: number, ending: Ending): Leg {
  const read = (live: Live | null): Value => (live === null ? null : kindOf(change).inLive(change, live));
  const base = { before: read(ending.facts.live), wanted: kindOf(change).wanted(change), actual: read(ending.after.live) };
  if (half === null) return { ...base, outcome: "skipped", wanted: null };
  if (!half.needed) return { ...base, outcome: "unchanged" };
  if (ending.plan.refusals.length > 0 || ending.dryRun) return { ...base, outcome: "skipped" };
  return { ...base, ...dynamicEnd(ending.records.filter((record) => record.change === position)) };
}

/** The worst of a change's steps decides. If none was begun, the change was never reached. */
function dynamicEnd(records: readonly StepRecord[]): Pick<Leg, "outcome" | "reason"> {
  const order: readonly (readonly [StepRecord["outcome"], LegOutcome])[] = [
    ["undo-failed", "failed"],
    ["failed", "failed"],
    ["undone", "rolled-back"],
    ["pending", "pending"],
    ["skipped", "skipped"],
    ["planned", "skipped"],
    ["done", "applied"],
  ];
  for (const [step, outcome] of order) {
    const record = records.find((it) => it.outcome === step);
    if (record !== undefined) return record.reason === undefined ? { outcome } : { outcome, reason: record.reason };
  }
  return { outcome: "applied" };
}
