import { type CpuSet, formatCpuList, parseCpuList } from "../../host/cpulist.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { type Reason, when } from "./resource.ts";

/** What is written for "not pinned": every CPU of the machine. */
export const ALL = "all";

/** A list in its shortest form; `all` stays `all`. @throws UsageError for what is neither */
export function canonical(cpus: string): string {
  return cpus === ALL ? ALL : formatCpuList(parseCpuList(cpus));
}

/** The set that a list means on this host. */
export function resolveCpuList(cpus: string, online: CpuSet): CpuSet {
  return cpus === ALL ? online : parseCpuList(cpus);
}

/** What this host has against a list: CPUs that it does not have, or that are offline. */
export function hostReasons(cpus: string, { online, present }: Facts): readonly Reason[] {
  if (cpus === ALL) return [];
  const wanted = [...parseCpuList(cpus)];
  const absent = wanted.filter((cpu) => !present.has(cpu));
  const offline = wanted.filter((cpu) => present.has(cpu) && !online.has(cpu));
  const instead = `CPUs out of ${formatCpuList(online)}`;
  return [
    ...when(absent.length > 0, () => ({ reason: `this host has no CPU ${formatCpuList(new Set(absent))}`, instead })),
    ...when(offline.length > 0, () => ({ reason: `CPU ${formatCpuList(new Set(offline))} of this host is offline`, instead })),
  ];
}

/**
 * A thread's mask as it is shown: `all` if it is no narrower than what the thread would have unpinned, and not what the config pins it to.
 * What a cpuset gives is all that there is. If the cpuset can't be seen, the main thread's mask may be all that it gives.
 */
export function shownMask(mask: string | null, pin: unknown, { live, online }: Pick<LiveFacts, "live" | "online">): string | null {
  if (mask === null || pin === mask) return mask;
  return [online, live.mayUse ?? live.mainAffinity].some((set) => set !== null && formatCpuList(set) === mask) ? ALL : mask;
}

/** The value of a key that somebody has chosen, as an iothread's id; undefined where there is none. Any object has a `constructor`. */
export function ownValue<T>(values: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;
}
