import type { Live } from "../facts/live.ts";
import { type Dimm, dimmsIn } from "../facts/memory-devices.ts";
import { runStateOf, whenLetGo } from "../model/run-state.ts";

/**
 * Whether the guest has not taken a DIMM that came while it ran. If an unplug is asked for before it has, it takes the DIMM and never hears
 * of the unplug: ACPI has one word for it in a slot, and the first is that it came (measured on 7.2 and 11.1).
 */
export function isUntaken({ id, hotplugged }: Pick<Dimm, "id" | "hotplugged">, { untakenMemory = [] }: Live): boolean {
  return hotplugged === true && untakenMemory.includes(id);
}

/** Why the guest still has a DIMM that it was asked to let go of. `live`: the machine before it was asked. */
export function whyItStays(id: string, live: Live): string {
  if (live.running) return "the guest has not let go of it yet: what lies in it has to move elsewhere first";
  const dimm = dimmsIn(live.memory.devices).find((each) => each.id === id);
  return dimm === undefined || isUntaken(dimm, live)
    ? `the guest ${runStateOf(live.status).is} and has not taken it yet: it takes it when it runs again, and has to be asked once more`
    : whenLetGo(live.status);
}
