import { kernelFileIfThere } from "./kernel-file.ts";

/** The CPU time that a thread has used, and where it last ran. */
export interface ThreadUsage {
  /** Its name in /proc, as `CPU 1/KVM`. */
  readonly name: string;
  /** The host CPU that it last ran on. */
  readonly cpu: number;
  /** User and system time, in milliseconds. */
  readonly cpuTime: number;
}

/** Clock ticks a second in /proc: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

/**
 * A thread's use of CPUs; undefined if it has ended. Source: fields 2, 14, 15 and 39 of /proc/TID/task/TID/stat, see proc(5). In
 * /proc/TID/stat, the times are those of the whole process. `pid`: the process that it has to be one of, as ids are reused.
 */
export async function usageOf(tid: number, pid: number = tid): Promise<ThreadUsage | undefined> {
  return usageIn(`/proc/${pid}/task/${tid}/stat`);
}

/** The CPU time of a whole process, in milliseconds, with that of its threads that have ended; undefined if it has ended. */
export function processTimeOf(pid: number): number | undefined {
  return usageIn(`/proc/${pid}/stat`)?.cpuTime;
}

function usageIn(path: string): ThreadUsage | undefined {
  const stat = kernelFileIfThere(path);
  if (stat === undefined) return undefined;
  // The name is in parentheses, and may contain some. After the last one there are only numbers.
  const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return { name, cpu: field(39), cpuTime: ((field(14) + field(15)) * 1000) / TICKS };
}
