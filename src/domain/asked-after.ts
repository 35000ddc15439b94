import type { StepRecord } from "./apply.ts";
import type { Asked } from "./asked.ts";
import type { LiveFacts } from "./resource.ts";
import { indices } from "./vcpus.ts";

/** What the machine has been asked for once these steps have ended as they did. */
export function askedAfter({ asked }: LiveFacts, records: readonly StepRecord[]): Asked {
  return records.reduce(withStep, asked);
}

function withStep(asked: Asked, { step, outcome }: StepRecord): Asked {
  if (outcome === "planned" || outcome === "skipped") return asked;
  const undone = outcome === "undone";
  switch (step.kind) {
    case "balloon":
      return { ...asked, balloon: undone ? step.before : step.target };
    case "plug":
      return outcome === "failed" ? asked : usedUp(asked, step.slot.count);
    case "unplug": {
      const vcpus = step.slots.flatMap(({ slot }) => [...indices(slot)]);
      const others = (asked.unplug ?? []).filter((vcpu) => !vcpus.includes(vcpu));
      // Plugged back means as many new threads.
      if (undone) return usedUp({ ...asked, unplug: others }, vcpus.length);
      return { ...asked, unplug: outcome === "done" ? others : [...others, ...vcpus] };
    }
    case "pin":
      return asked;
  }
}

function usedUp(asked: Asked, threads: number): Asked {
  return asked.threads === undefined ? asked : { ...asked, threads: asked.threads + threads };
}
