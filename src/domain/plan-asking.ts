import type { Change } from "./change.ts";
import { askGuest, type GuestNeed } from "./facts/guest-need.ts";
import type { AskOptions, Monitor } from "./machine/monitor.ts";
import { isShrink } from "./memory-need.ts";
import { type Plan, type PlanInput, plan } from "./plan.ts";
import type { Facts, LiveFacts } from "./resource.ts";
import { missingSides } from "./scope.ts";

/** What is to be changed: given, or worked out from the facts once they are read (revert, persist). */
export type Wanted = readonly Change[] | ((facts: Facts) => readonly Change[]);

/** A plan, and the facts it was made from. */
export interface AskedPlan {
  readonly facts: Facts;
  readonly planned: Plan;
}

/**
 * Plans the changes. Where the plan would leave the guest less memory, the guest is asked what it needs, and it is planned once more with what it said.
 *
 * @throws the monitor's errors; the signal's reason; UsageError as `plan` does
 */
export async function planAsking(name: string, wanted: Wanted, input: Omit<PlanInput, "name" | "changes">, monitor: Monitor | null, options: AskOptions): Promise<AskedPlan> {
  const planned = planFor(name, wanted, input);
  const need = input.force ? undefined : await needFor(planned, input.facts, monitor, options);
  if (need === undefined) return { facts: input.facts, planned };
  const facts = { ...input.facts, need };
  return { facts, planned: planFor(name, wanted, { ...input, facts }) };
}

async function needFor({ changes }: Plan, facts: Facts, monitor: Monitor | null, options: AskOptions): Promise<GuestNeed | undefined> {
  if (facts.live === null || monitor === null) return undefined;
  const running = facts as LiveFacts;
  const shrinks = changes.some(({ change, dynamic }) => change.resource === "memory" && dynamic?.needed === true && isShrink(change.size, running));
  return shrinks ? askGuest(monitor, facts.live, options) : undefined;
}

function planFor(name: string, wanted: Wanted, input: Omit<PlanInput, "name" | "changes">): Plan {
  const { facts } = input;
  if (typeof wanted !== "function") return plan({ ...input, name, changes: wanted });
  const planned = plan({ ...input, name, changes: wanted(facts) });
  // To make one side equal the other takes both.
  const missing = missingSides({ name, state: facts.state, why: facts.why, transient: facts.config === null });
  return missing.length > 0 ? { ...planned, refusals: missing } : planned;
}
