import { valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** The names of devices that are vCPUs: `max-x86_64-cpu`, `qemu-s390x-cpu`. A core of POWER has several vCPUs. */
const VCPU = /-cpu$/;
const CORE = /-spapr-cpu-core$/;

/** How many vCPUs `-device` in args plugs at start, in addition to `-smp cpus=`. `threads` is how many a core of POWER has. */
export function pluggedByArgs(args: readonly string[], threads: number = 1): number {
  return pluggingOptions(args).reduce((sum, option) => sum + (CORE.test(driverOf(option)) ? threads : 1), 0);
}

/** The options that plug vCPUs. */
export function pluggingOptions(args: readonly string[]): readonly Option[] {
  return splitOptions(args).filter((option) => option.name === "device" && (VCPU.test(driverOf(option)) || CORE.test(driverOf(option))));
}

function driverOf(option: Option): string {
  return valuesOf(option, "driver").get("driver") ?? "";
}
