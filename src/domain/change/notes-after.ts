import type { LiveFacts } from "../facts/facts.ts";
import type { Asked } from "../facts/notes.ts";
import { stepKindOf } from "../resources/registry.ts";
import { pendingUnplug } from "../resources/vcpus.ts";
import type { StepRecord } from "./apply.ts";

/** What the machine has been asked for once these steps have ended as they did. */
export function askedAfter(facts: LiveFacts, records: readonly StepRecord[]): Asked {
  const { asked } = facts;
  // One that has left meanwhile is done: it may be plugged again, and is not on its way out then.
  const now = asked.unplug === undefined ? asked : { ...asked, unplug: pendingUnplug(facts) };
  return records.reduce(withStep, now);
}

function withStep(asked: Asked, record: StepRecord): Asked {
  if (record.outcome === "planned" || record.outcome === "skipped") return asked;
  return stepKindOf(record.step).notedAfter?.(asked, record) ?? asked;
}
