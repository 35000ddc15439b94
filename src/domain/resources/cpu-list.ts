import { type CpuSet, formatCpuList, parseCpuList } from "../../host/cpulist.ts";

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
