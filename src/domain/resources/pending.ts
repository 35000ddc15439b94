import type { LiveFacts } from "../facts/facts.ts";
import { dimmsIn } from "../facts/memory-devices.ts";

/** vCPUs that the guest was asked to let go of and still has. */
export function pendingUnplug({ asked, live }: Pick<LiveFacts, "asked" | "live">): readonly number[] {
  return (asked.unplug ?? []).filter((index) => live.vcpus.some((vcpu) => vcpu.index === index));
}

/** DIMMs that the guest was asked to let go of and still has. */
export function pendingDimms({ asked, live }: LiveFacts): readonly string[] {
  const there = new Set(dimmsIn(live.memory.devices).map(({ id }) => id));
  return (asked.dimms ?? []).filter((id) => there.has(id));
}
