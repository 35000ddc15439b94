import { residentOf } from "../../host/resident.ts";
import type { Vcpu } from "./live.ts";

/** What QEMU has in the host's RAM, in bytes, cheaply read; absent where that is not known. For tables of many machines. */
export function hostRamOf({ pid, vcpus }: { readonly pid: number | null; readonly vcpus: readonly Vcpu[] }): { readonly host?: number } {
  const resident = pid === null || vcpus[0] === undefined ? null : residentOf(pid, vcpus[0].tid);
  return resident === null ? {} : { host: resident };
}
