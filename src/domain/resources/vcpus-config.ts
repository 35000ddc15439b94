import type { Edit } from "../../config/edit.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { hasHoles, onlineVcpus } from "../../config/online-vcpus.ts";
import { pluggingOptions } from "../../config/plugged.ts";
import { wholeCore } from "../../config/topology.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import { type Reason, when } from "./resource.ts";

/** The config's list of vCPUs; absent where they are those from vCPU 0 on, as `current` says it all then. */
function listOf(set: ReadonlySet<number>): string | undefined {
  return hasHoles(set) ? formatCpuList(set) : undefined;
}

/** The config with these vCPUs. */
export function withVcpus({ vcpus: { online: _, ...vcpus }, ...config }: LaunchConfig, set: ReadonlySet<number>): LaunchConfig {
  const online = listOf(set);
  return { ...config, vcpus: { ...vcpus, current: set.size, ...(online === undefined ? {} : { online }) } };
}

/** What a config's text changes in for these vCPUs: as little as possible, as the diff of a file shows it. */
export function vcpuEdits({ vcpus }: LaunchConfig, set: ReadonlySet<number>): readonly Edit[] {
  return [
    ...(vcpus.current === set.size ? [] : [{ path: ["vcpus", "current"], value: set.size }]),
    ...(vcpus.online === listOf(set) ? [] : [{ path: ["vcpus", "online"], value: listOf(set) }]),
  ];
}

/**
 * The config's vCPUs when there are to be so many: the lowest free ones are added, the highest are taken away, as a running machine does
 * it. So both halves of one change have the same vCPUs.
 */
export function resized({ vcpus }: Pick<LaunchConfig, "vcpus">, count: number): ReadonlySet<number> {
  const set = [...onlineVcpus(vcpus)].sort((one, other) => one - other);
  if (count <= set.length) return new Set(set.slice(0, count));
  const grown = new Set(set);
  for (let vcpu = 0; grown.size < count; vcpu++) grown.add(vcpu);
  return grown;
}

/**
 * vCPUs that args plug have places of their own, which QEMU would give to others where there are more of them, or leave behind where there
 * are fewer.
 */
export function pluggedReasons({ args }: LaunchConfig): readonly Reason[] {
  const plugging = pluggingOptions(args);
  return when(plugging.length > 0, () => ({
    reason: `args plug vCPUs themselves, in places of their own: ${plugging.map(({ words }) => words.join(" ")).join(", ")}`,
    instead: "take those words out of args, and vcpus.current says how many there are",
  }));
}

/** POWER machines start with whole cores only; others take any count. */
export function brokenCores(count: number, config: LaunchConfig): readonly Reason[] {
  const { max } = config.vcpus;
  const whole = wholeCore(config);
  const lower = Math.max(whole, Math.floor(count / whole) * whole);
  const upper = Math.min(max, Math.ceil(count / whole) * whole);
  return when(count <= max && count % whole !== 0, () => ({
    reason: `${count} vCPUs can't be made of whole cores of ${whole} threads, and this emulator starts with no others`,
    instead: lower === upper ? String(lower) : `${lower} or ${upper}`,
  }));
}
