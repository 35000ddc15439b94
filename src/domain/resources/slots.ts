import type { Live, Slot } from "../facts/live.ts";
import type { MachineNotes } from "../facts/notes.ts";
import type { PlugStep } from "./step.ts";

/** The vCPU indices of a slot. */
export function indices(slot: Slot): readonly number[] {
  return Array.from({ length: slot.count }, (_, offset) => slot.first + offset);
}

/** Plugs a free slot under an id that nobody has. */
export function plugStep(slot: Slot, live: Live): PlugStep {
  const name = `vcpu${slot.first}`;
  let id = name;
  for (let attempt = 2; live.ids.has(id); attempt++) id = `${name}-${attempt}`;
  return { kind: "plug", slot, id };
}

/** What was asked, with so many threads more that QEMU has started in its life. */
export function usedUp(asked: MachineNotes, threads: number): MachineNotes {
  return asked.threads === undefined ? asked : { ...asked, threads: asked.threads + threads };
}
