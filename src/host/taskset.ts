import { HostError } from "../errors.ts";
import { type CpuSet, formatCpuList, parseCpuList } from "./cpulist.ts";
import { readKernelFile } from "./kernel-file.ts";
import { type CallOptions, runTool } from "./tool.ts";

/**
 * The CPUs that a thread may run on now. Source: /proc/TID/status.
 *
 * @throws HostError when the thread has ended
 */
export async function readAffinity(tid: number): Promise<CpuSet> {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readOr(`/proc/${tid}/status`, `thread ${tid}: it is gone`))?.[1];
  if (list === undefined) throw new HostError(`thread ${tid}: /proc shows no CPUs for it`);
  return parseCpuList(list);
}

/**
 * Restricts a thread to these CPUs with taskset(1), and returns the CPUs that the kernel then reports. Those can be fewer: a cpuset narrows
 * them silently, so compare.
 *
 * @throws HostError with taskset's own words when it fails; the signal's reason as it is
 */
export async function setAffinity(tid: number, set: CpuSet, options: CallOptions = {}): Promise<CpuSet> {
  await runTool("taskset", ["-pc", formatCpuList(set), String(tid)], options);
  return readAffinity(tid);
}

/**
 * The CPUs of this host that are online. Source: /sys/devices/system/cpu/online.
 *
 * @throws HostError when they can't be read
 */
export async function onlineCpus(): Promise<CpuSet> {
  return readCpus("online");
}

/**
 * All CPUs of this host, also those taken offline. Source: /sys/devices/system/cpu/present.
 *
 * @throws HostError when they can't be read
 */
export async function presentCpus(): Promise<CpuSet> {
  return readCpus("present");
}

function readCpus(which: string): CpuSet {
  const file = `/sys/devices/system/cpu/${which}`;
  return parseCpuList(readOr(file, `${which} CPUs: ${file} can't be read`));
}

function readOr(file: string, message: string): string {
  try {
    return readKernelFile(file);
  } catch (cause) {
    throw new HostError(message, {}, { cause });
  }
}
