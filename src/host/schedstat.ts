import { kernelFileIfThere } from "./kernel-file.ts";

/** What the kernel's scheduler counted of a thread, in milliseconds. */
export interface SchedStat {
  /** How long it ran. */
  readonly ran: number;
  /** How long it could have run, and waited for a CPU: of a vCPU, what its guest sees as steal. */
  readonly waited: number;
}

/**
 * A thread's times; null if it has ended, or this kernel does not count them. `pid`: the process that it has to be one of, as ids are
 * reused. Source: /proc/PID/task/TID/schedstat, sched-stats.rst.
 */
export function schedStatOf(tid: number, pid: number = tid): SchedStat | null {
  const [ran, waited] = (kernelFileIfThere(`/proc/${pid}/task/${tid}/schedstat`) ?? "").trim().split(" ").map(Number);
  if (ran === undefined || waited === undefined || Number.isNaN(ran + waited)) return null;
  return { ran: ran / 1e6, waited: waited / 1e6 };
}
