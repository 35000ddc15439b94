import { STATS_INTERVAL } from "../facts/balloon-period.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { askGuest, type GuestNeed } from "../facts/guest-need.ts";
import type { ConfigReader } from "../facts/images.ts";
import type { LiveReader } from "../facts/live.ts";
import type { AskOptions, Monitor } from "../machine/monitor.ts";
import type { Refusal, Scope } from "../model/change.ts";
import { isShrink } from "../resources/memory-need.ts";
import { type Change, kindOf, readersOf, type Resource } from "../resources/registry.ts";
import { plan, type Plan, type PlanInput } from "./plan.ts";
import { missingSides } from "./scope.ts";

/** What is to be changed: given, or worked out from the facts once they are read (revert, persist). */
export type Wanted = readonly Change[] | WorkedOut;

/** Works the changes out from the facts. `inPart`: make those that can be made, even if others can't. */
export interface WorkedOut {
  (facts: Facts, scope: Scope): readonly Change[];
  readonly inPart?: boolean;
  /** One half is enough; without this it takes both, as one is made equal to the other. */
  readonly oneHalf?: boolean;
  /** The resources that its changes may be of: no more is read of the machine than they need. Any without this. */
  readonly among?: readonly Resource[];
  /** Which of our functions made it, and of what: so that it can be made again where the machine is, on another host. */
  readonly asks?: { readonly name: string; readonly args: readonly unknown[] };
  /** What speaks against it, besides what speaks against its changes. */
  readonly refusals?: (facts: Facts, scope: Scope) => readonly Refusal[];
}

/** A plan, and the facts that it was made from. */
export interface AskedPlan {
  readonly facts: Facts;
  readonly planned: Plan;
}

/**
 * S5 Plan: plans the changes. If the guest would get less memory, it is asked what it uses, and the plan is made again with its answer.
 *
 * @throws the monitor's errors; the signal's reason; UsageError as `plan` does
 */
export async function planAsking(
  name: string,
  wanted: Wanted,
  input: Omit<PlanInput, "name" | "changes">,
  monitor: Monitor | null,
  options: AskOptions,
): Promise<AskedPlan> {
  const first = planFor(name, wanted, input);
  const need = input.force ? undefined : await needFor(first, input.facts, monitor, options);
  const facts = need === undefined ? input.facts : { ...input.facts, need };
  const planned = need === undefined ? first : planFor(name, wanted, { ...input, facts });
  return { facts, planned: typeof wanted === "function" && wanted.inPart === true ? inPart(name, planned, { ...input, facts }) : planned };
}

/** What reads what the changes need; those that are worked out from the facts may be of any resource, unless they say of which. */
export async function readersFor(wanted: Wanted): Promise<readonly LiveReader[]> {
  if (typeof wanted !== "function") return readersOf(wanted.map(kindOf));
  if (wanted.among !== undefined) return readersOf(wanted.among.map((resource) => kindOf({ resource })));
  return (await import("../resources/kinds.ts")).ALL_READERS;
}

/** What reads what given changes need of the files that the config names; what is worked out from the facts asks for no files. */
export function configReaderFor(wanted: Wanted): ConfigReader | undefined {
  return typeof wanted === "function" ? undefined : wanted.map((change) => kindOf(change).readsConfig).find((read) => read !== undefined);
}

/**
 * The part of a refused plan that would not be refused by itself, if there is something to do in it. What is left out is kept with its
 * reasons.
 */
function inPart(name: string, planned: Plan, input: Omit<PlanInput, "name" | "changes">): Plan {
  if (planned.refusals.length === 0) return planned;
  const each = planned.changes.map(({ change }) => ({ change, refusals: plan({ ...input, name, changes: [change] }).refusals }));
  const able = each.filter(({ refusals }) => refusals.length === 0).map(({ change }) => change);
  if (able.length === 0 || able.length === each.length) return planned;
  const rest = plan({ ...input, name, changes: able });
  const isWorth = rest.refusals.length === 0 && (rest.steps.length > 0 || rest.text !== null);
  return isWorth ? { ...rest, left: each.filter(({ refusals }) => refusals.length > 0) } : planned;
}

async function needFor({ changes }: Plan, facts: Facts, monitor: Monitor | null, options: AskOptions): Promise<GuestNeed | undefined> {
  if (facts.live === null || monitor === null) return undefined;
  const running = facts as LiveFacts;
  const shrinks = changes.some(
    ({ change, dynamic }) => change.resource === "memory" && dynamic?.needed === true && isShrink(change.size, running),
  );
  return shrinks ? askGuest(monitor, facts.live, { ...options, usual: usualPeriod(facts, monitor) }) : undefined;
}

/** How often QEMU is to ask the guest: never, unless we started it or were told. */
function usualPeriod({ asked, config }: Facts, { target: { machine } }: Monitor): number {
  return asked.period ?? (machine.id === null ? 0 : (config?.memory.period ?? STATS_INTERVAL));
}

function planFor(name: string, wanted: Wanted, input: Omit<PlanInput, "name" | "changes">): Plan {
  const { facts, scope } = input;
  if (typeof wanted !== "function") return plan({ ...input, name, changes: wanted });
  const planned = plan({ ...input, name, changes: wanted(facts, scope) });
  const refusals = wanted.refusals?.(facts, scope) ?? [];
  // Said alone: the changes that it was worked out to are not what was asked for.
  if (refusals.length > 0 && planned.halves.refusals.length === 0) return { ...planned, refusals, steps: [], text: null };
  if (wanted.oneHalf === true) return planned;
  // It takes both halves to make one equal to the other.
  const { state, why, ownConfig } = facts;
  const missing = missingSides({ name, state, why, ownConfig, transient: facts.config === null });
  return missing.length > 0 ? { ...planned, refusals: missing } : planned;
}
