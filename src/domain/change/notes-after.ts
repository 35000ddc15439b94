import type { LiveFacts } from "../facts/facts.ts";
import type { MachineNotes } from "../facts/notes.ts";
import { pendingDimms, pendingUnplug } from "../resources/pending.ts";
import { stepKindOf } from "../resources/registry.ts";
import type { StepRecord } from "./apply.ts";

/** The notes of the machine after these steps have ended as they did. */
export function notesAfter(facts: LiveFacts, records: readonly StepRecord[]): MachineNotes {
  const { asked } = facts;
  // A vCPU that has left meanwhile is done: it may be plugged again, and is then no longer on its way out.
  const now = asked.unplug === undefined ? asked : { ...asked, unplug: pendingUnplug(facts) };
  return records.reduce(withStep, now.dimms === undefined ? now : { ...now, dimms: pendingDimms(facts) });
}

function withStep(asked: MachineNotes, record: StepRecord): MachineNotes {
  if (record.outcome === "planned" || record.outcome === "skipped") return asked;
  return stepKindOf(record.step).notedAfter?.(asked, record) ?? asked;
}
