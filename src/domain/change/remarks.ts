import { kindOf, nameOf, stepKindOf } from "../resources/registry.ts";
import type { Ending } from "./ending.ts";

/** What the caller should know about the later effects of a change. What is true of several steps or halves is said once. */
export function remarksOf(ending: Ending): readonly string[] {
  return [...new Set([...ofSteps(ending), ...notMade(ending), ...besides(ending)])];
}

/** What each step means later. */
function ofSteps({ records, name, dryRun, after: { live } }: Ending): readonly string[] {
  if (dryRun) return [];
  return records.flatMap(({ step, outcome }) => stepKindOf(step).remarks?.(step, outcome, live, name) ?? []);
}

function notMade({ plan: { left = [] } }: Ending): readonly string[] {
  return left.map(
    ({ change, refusals }) =>
      `${nameOf(change)}: left as it is: ${refusals.map(({ reason, instead }) => (instead === undefined ? reason : `${reason}; instead: ${instead}`)).join("; ")}`,
  );
}

/** What the static half of a change leaves out, of a running machine or of the config's own words. */
function besides({ plan: { changes }, facts, after, dryRun }: Ending): readonly string[] {
  const config = dryRun ? facts.config : after.config;
  return changes.flatMap(({ change, static: half }) =>
    half === null || config === null ? [] : (kindOf(change).remarks?.({ change, config, live: facts.live }) ?? []),
  );
}
