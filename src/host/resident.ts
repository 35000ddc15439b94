import { kernelFileIfThere } from "./kernel-file.ts";

/**
 * What a process has in RAM, in bytes, by one small file; null where it can't be seen. `tid` is a thread that has to be its own, as ids
 * are reused. The kernel counts this for each CPU apart, and may be wrong by a few MiB for each. Source: /proc/PID/status, see proc(5).
 */
export function residentOf(pid: number, tid: number): number | null {
  const status = kernelFileIfThere(`/proc/${pid}/task/${tid}/status`);
  return status === undefined || !/^VmRSS:/m.test(status) ? null : kib(status, "VmRSS") + kib(status, "HugetlbPages");
}

/** A figure of `status` or `smaps_rollup`, in bytes; 0 if this kernel does not know it. */
export function kib(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
}
