import type { LiveFacts } from "../facts/facts.ts";
import type { Slot } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import { newVcpuSteps } from "./new-thread.ts";
import { replugRisk } from "./replug.ts";
import type { Reason } from "./resource.ts";
import { indices, plugStep } from "./slots.ts";
import type { Step, UnplugStep } from "./step.ts";

/** The vCPUs that the running machine has. */
export function presentVcpus({ live }: Pick<LiveFacts, "live">): ReadonlySet<number> {
  return new Set(live.vcpus.map(({ index }) => index));
}

/** Plug each, and give each new thread its own mask and policy at once: it would inherit the emulator's. */
export function growSteps(slots: readonly Slot[], facts: LiveFacts): readonly Step[] {
  return slots.flatMap((slot): Step[] => [plugStep(slot, facts.live), ...indices(slot).flatMap((vcpu) => newVcpuSteps(vcpu, facts))]);
}

/** Ask the guest to let go of these slots, which are plugged. `from`: how many vCPUs there are before. */
export function shrinkStep(slots: readonly Slot[], from: number, { live, asked }: LiveFacts): UnplugStep {
  const again = slots.map((slot) => ({ ...slot, ejected: true }));
  return {
    kind: "unplug",
    slots: slots.flatMap((slot) => (slot.device === null ? [] : [{ slot, device: slot.device }])),
    from,
    to: from - slots.reduce((sum, slot) => sum + slot.count, 0),
    noReturn: replugRisk(again, live, asked)[0]?.reason ?? null,
  };
}

/**
 * Before the guest has set ACPI up, QEMU refuses an unplug in words of its own; 11 takes it, and the guest never hears of it (measured).
 * `command`: what changes the config instead.
 */
export function notStarted(name: string, command: string): Reason {
  return {
    reason: "the guest has not started yet, so it can't let go of a vCPU",
    instead: `qmpctl resume ${shellWord(name)} and wait until it is up, or qmpctl ${command} --static`,
  };
}

/** A machine of a board that has no slots for vCPUs. `command`: what changes the config instead. */
export function noSlots(command: string): Reason {
  return { reason: "this machine can't plug vCPUs while it runs", instead: `qmpctl ${command} --static, then restart` };
}
