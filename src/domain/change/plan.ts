import { ConfigError } from "../../config/config-error.ts";
import { type Edit, editJson } from "../../config/edit.ts";
import { type LaunchConfig, parseLaunchConfig } from "../../config/launch.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Refusal, Scope, Value } from "../model/change.ts";
import { foldVcpus, shellWord } from "../model/format.ts";
import { runStateOf } from "../model/run-state.ts";
import { dimmsIn } from "../resources/dimm-change.ts";
import type { Change } from "../resources/registry.ts";
import { bringsThreads, kindOf, maximaFirst, stepKindOf } from "../resources/registry.ts";
import type { Reason } from "../resources/resource.ts";
import type { Step } from "../resources/step.ts";
import { checkChanges } from "./check-changes.ts";
import { imageHalf, inUse, stepsOff } from "./image-plan.ts";
import { type Halves, halvesOf } from "./scope.ts";

export { checkChanges } from "./check-changes.ts";

/** What one change means for one half. */
export interface PlannedHalf {
  readonly before: Value;
  readonly needed: boolean;
}

/** One change and what it means for both halves; null for a half that is not in its scope, or of which nothing is known. */
export interface PlannedChange {
  readonly change: Change;
  readonly static: PlannedHalf | null;
  readonly dynamic: PlannedHalf | null;
}

/** A step, and the position of the change that it belongs to. */
export interface PlannedStep {
  readonly step: Step;
  readonly change: number;
}

/** Everything that will be done, as data; or every reason why nothing will be done. */
export interface Plan {
  readonly halves: Halves;
  readonly changes: readonly PlannedChange[];
  readonly steps: readonly PlannedStep[];
  /** The config's text after the change; null if it stays as it is. */
  readonly text: string | null;
  readonly refusals: readonly Refusal[];
  /** If only a part of the set is made: the changes that can't be made, and why. */
  readonly left?: readonly { readonly change: Change; readonly refusals: readonly Refusal[] }[];
}

/** What a plan is made from: the facts, and the config as it is in its file. */
export interface PlanInput {
  readonly name: string;
  readonly changes: readonly Change[];
  readonly scope: Scope;
  readonly force: boolean;
  readonly facts: Facts;
  readonly stored: { readonly path: string; readonly text: string; readonly links?: number } | null;
}

/**
 * S5 Plan: plans a set of changes. It is a pure function. Both halves are checked before either is touched, and all reasons come at once.
 *
 * @throws UsageError for a value that no machine could have
 */
export function plan(input: PlanInput): Plan {
  const { name, changes, scope, facts } = input;
  checkChanges(changes);
  const { config } = facts;
  const staticWorks = (): boolean => config === null || planStatic(input, config, false).refusals.length === 0;
  const halves = halvesOf(scope, {
    name,
    state: facts.state,
    why: facts.why,
    transient: config === null,
    ownConfig: facts.ownConfig,
    staticWorks,
  });
  const staticPlan = halves.static && config !== null ? planStatic(input, config, halves.dynamic) : null;
  const livePlan = halves.dynamic && facts.live !== null ? planLive(input, { ...facts, live: facts.live }) : null;
  return {
    halves,
    changes: changes.map((change, position) => ({
      change,
      static: halves.static ? imageHalf(change, staticPlan?.halves[position] ?? null, livePlan?.halves[position]) : null,
      dynamic: halves.dynamic ? (livePlan?.halves[position] ?? null) : null,
    })),
    steps: livePlan?.steps ?? (staticPlan?.refusals.length === 0 ? stepsOff(changes, facts) : []),
    text: staticPlan?.text ?? null,
    refusals: folded([...halves.refusals, ...(staticPlan?.refusals ?? []), ...(livePlan?.refusals ?? [])]),
  };
}

/** Merges refusals that differ only in the vCPU that they name. */
function folded(refusals: readonly Refusal[]): readonly Refusal[] {
  const same = (one: Refusal, other: Refusal): boolean => one.leg === other.leg && foldVcpus([one.reason, other.reason]).length === 1;
  const first = refusals.filter((refusal, position) => refusals.findIndex((each) => same(each, refusal)) === position);
  return first.map((refusal) => {
    const reasons = refusals.filter((each) => same(each, refusal)).map(({ reason }) => reason);
    return { ...refusal, reason: new Set(reasons).size === 1 ? refusal.reason : (foldVcpus(reasons)[0] ?? refusal.reason) };
  });
}

interface StaticPlan {
  readonly halves: readonly (PlannedHalf | null)[];
  readonly text: string | null;
  readonly refusals: readonly Refusal[];
}

function planStatic(input: PlanInput, config: LaunchConfig, isLiveToo: boolean): StaticPlan {
  const { changes, facts, force, name, stored } = input;
  let after = config;
  const wanted: Change[] = [];
  const edits: Edit[] = [];
  const isLiveOnly = (change: Change): boolean => kindOf(change).isLiveOnly?.(change) === true;
  for (const change of maximaFirst(changes)) {
    if (isLiveOnly(change) || kindOf(change).inConfig(change, after) === kindOf(change).wanted(change)) continue;
    wanted.push(change);
    if (kindOf(change).isImage === true) continue;
    // Of the config as the changes before it leave it: two of them may be about the same words of args.
    edits.push(...kindOf(change).edits(change, after));
    after = kindOf(change).applied(change, after);
  }
  const halves = changes.map((change) =>
    isLiveOnly(change) ? null : { before: kindOf(change).inConfig(change, config), needed: wanted.includes(change) },
  );
  const refusals = [
    ...wanted.flatMap((change) =>
      refuse(
        "static",
        kindOf(change).isImage === true && facts.state !== "stopped"
          ? inUse(change, isLiveToo)
          : kindOf(change).staticReasons(change, { ...facts, after }, { name, force }),
      ),
    ),
    ...(edits.length > 0 && stored !== null && (stored.links ?? 1) > 1 ? [otherNames(stored.path)] : []),
  ];
  if (edits.length === 0 || refusals.length > 0 || stored === null) return { halves, text: null, refusals };
  return { halves, ...editText(stored, edits) };
}

/** A config is replaced, not written in place: its other names would keep the old text, and nobody would notice. */
function otherNames(path: string): Refusal {
  return {
    leg: "static",
    reason: `the config has another name besides ${path} (a hard link), which a change would leave with the old text`,
    instead: "remove the other name, or make it a symbolic link in the same folder",
  };
}

function editText(stored: { path: string; text: string }, edits: readonly Edit[]): { text: string | null; refusals: readonly Refusal[] } {
  const text = editJson(stored.text, edits);
  try {
    parseLaunchConfig(text, stored.path);
    return { text, refusals: [] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { text: null, refusals: [{ leg: "static", reason: `the config would no longer be valid: ${error.message}` }] };
  }
}

interface LivePlan {
  readonly halves: readonly PlannedHalf[];
  readonly steps: readonly PlannedStep[];
  readonly refusals: readonly Refusal[];
}

function planLive({ changes, force, name }: PlanInput, before: LiveFacts): LivePlan {
  const facts: LiveFacts = { ...before, beingPlugged: threadsToCome(changes, before), ...dimmsIn(changes, before.live) };
  const halves = changes.map((change) => ({
    before: kindOf(change).inLive(change, facts.live),
    needed: kindOf(change).needed(change, facts),
  }));
  const refusals = changes.flatMap((change, position) =>
    halves[position]?.needed ? refuse("dynamic", kindOf(change).liveReasons(change, facts, { name, force })) : [],
  );
  const needed = changes.filter((_, position) => halves[position]?.needed);
  const all = [...(needed.length > 0 ? busy(facts) : []), ...outOfReach(needed, facts, name), ...refusals];
  const steps =
    all.length > 0
      ? []
      : changes.flatMap((change, position) =>
          halves[position]?.needed
            ? kindOf(change)
                .steps(change, facts, { name, force })
                .map((step) => ({ step, change: position }))
            : [],
        );
  return { halves, refusals: all, steps: inOrder(steps, changes) };
}

/** The vCPUs that the set plugs, and the iothreads that it adds: their threads exist when they are pinned. */
export function threadsToCome(changes: readonly Change[], facts: LiveFacts): ReadonlySet<number | string> {
  const bringing = changes.filter((change) => bringsThreads(kindOf(change)));
  const steps = bringing.flatMap((change) => kindOf(change).steps(change, facts));
  return new Set(steps.flatMap((step) => stepKindOf(step).brings?.(step) ?? []));
}

function busy({ live }: LiveFacts): readonly Refusal[] {
  if (live.migration === null) return [];
  return [{ leg: "dynamic", reason: `a migration is under way (${live.migration})`, instead: "wait for its end, or migrate_cancel" }];
}

/** A guest that has powered off or crashed, or runs elsewhere, does nothing that it is asked. Its threads can still be pinned. */
function outOfReach(needed: readonly Change[], { live: { status } }: LiveFacts, name: string): readonly Refusal[] {
  const { canWait, is, next } = runStateOf(status);
  if (canWait || needed.every((change) => !kindOf(change).needsGuest)) return [];
  return [{ leg: "dynamic", reason: `the guest ${is}, so nothing can be changed with it`, instead: next(shellWord(name)) }];
}

/**
 * Sorts by the rank of each kind of step. Steps of the guest's come last, so that they are waited for together, whatever else belongs to
 * their change.
 */
function inOrder(steps: readonly PlannedStep[], changes: readonly Change[]): readonly PlannedStep[] {
  const rank = ({ step, change }: PlannedStep): number => {
    const own = changes[change];
    const together = own !== undefined && kindOf(own).keepsTogether === true && !stepKindOf(step).asksGuest;
    const first = together ? steps.find((each) => each.change === change) : undefined;
    return stepKindOf((first ?? { step }).step).rank;
  };
  return steps.toSorted((a, b) => rank(a) - rank(b));
}

function refuse(leg: "static" | "dynamic", reasons: readonly Reason[]): readonly Refusal[] {
  return reasons.map((reason) => ({ leg, ...reason }));
}
