import { CommandError } from "../../qmp/errors.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Asked } from "../facts/notes.ts";
import { stayingAfter } from "../resources/guest-refusals.ts";
import { indices, pendingUnplug } from "../resources/vcpus.ts";
import type { StepRecord } from "./apply.ts";

/** What the machine has been asked for once these steps have ended as they did. */
export function askedAfter(facts: LiveFacts, records: readonly StepRecord[]): Asked {
  const { asked } = facts;
  // One that has left meanwhile is done: it may be plugged again, and is not on its way out then.
  const now = asked.unplug === undefined ? asked : { ...asked, unplug: pendingUnplug(facts) };
  return records.reduce(withStep, now);
}

function withStep(asked: Asked, { step, outcome, cause, back }: StepRecord): Asked {
  if (outcome === "planned" || outcome === "skipped") return asked;
  switch (step.kind) {
    case "balloon": {
      // With a target that QEMU took, which one it had before is no longer in doubt.
      const { balloonOr: _, ...others } = asked;
      return cause instanceof CommandError ? asked : { ...others, balloon: outcome === "undone" ? step.before : step.target };
    }
    case "plug": {
      const nothing = cause instanceof CommandError || (outcome === "undone" && back?.length === 0);
      return nothing ? asked : usedUp(asked, step.slot.count);
    }
    case "unplug": {
      const vcpus = step.slots.flatMap(({ slot }) => [...indices(slot)]);
      const others = (asked.unplug ?? []).filter((vcpu) => !vcpus.includes(vcpu));
      const replugged = (back ?? []).flatMap((each) => (each.kind === "plug" ? indices(each.slot) : []));
      const settled = new Set([...replugged, ...stayingAfter(cause)]);
      const waiting = outcome === "done" || outcome === "undone" ? [] : vcpus.filter((vcpu) => !settled.has(vcpu));
      // Plugged back means as many new threads.
      return usedUp({ ...asked, unplug: [...others, ...waiting] }, replugged.length);
    }
    case "pin":
      return asked;
  }
}

function usedUp(asked: Asked, threads: number): Asked {
  return asked.threads === undefined ? asked : { ...asked, threads: asked.threads + threads };
}
