import { HostError } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import { type CallOptions, runTool } from "./tool.ts";

/** The kernel's numbers of its policies (include/uapi/linux/sched.h). */
const NAMES: Readonly<Record<number, string>> = { 0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle", 6: "deadline", 7: "ext" };

/**
 * A thread's scheduling policy, with its priority if it is one of real time: `other`, `batch`, `fifo:1`. Source: fields 40 and 41 of
 * /proc/TID/stat, see proc(5).
 *
 * @throws HostError when the thread has ended
 */
export function readPolicy(tid: number): string {
  const stat = kernelFileIfThere(`/proc/${tid}/stat`);
  if (stat === undefined) throw new HostError(`thread ${tid}: it is gone`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [priority, policy] = [Number(fields[40 - 3]), Number(fields[41 - 3])];
  const name = NAMES[policy] ?? `policy ${policy}`;
  return name === "fifo" || name === "rr" ? `${name}:${priority}` : name;
}

/**
 * Gives a thread a policy, as `batch` or `fifo:1`, with chrt(1), and returns the one that the kernel then reports.
 *
 * @throws HostError with chrt's own words when it fails; the signal's reason as it is
 */
export async function setPolicy(tid: number, policy: string, options: CallOptions = {}): Promise<string> {
  await runTool("chrt", chrtArguments(tid, policy), options);
  return readPolicy(tid);
}

/** What chrt is run with, as `--fifo --pid 1 4000`. */
export function chrtArguments(tid: number | string, policy: string): readonly string[] {
  const [name = "", priority = "0"] = policy.split(":");
  return [`--${name}`, "--pid", priority, String(tid)];
}

/** CAP_SYS_NICE of capabilities(7). */
const SYS_NICE = 23n;

/** What we may do to the scheduling of a process's threads. */
export interface SchedulingRights {
  /** The highest priority of real time that we may give; 0 for none. */
  readonly highest: number;
  /** Whether we may take a thread out of `idle` again: the kernel sees that as more than a nice value of 19. */
  readonly leavesIdle: boolean;
}

/** What CAP_SYS_NICE, or else the limits of a process, allow. Sources: `CapEff` of /proc/self/status, /proc/PID/limits, setrlimit(2). */
export function schedulingRights(pid: number): SchedulingRights {
  const held = /^CapEff:\s*([0-9a-f]+)$/m.exec(kernelFileIfThere("/proc/self/status") ?? "")?.[1];
  if (held !== undefined && ((BigInt(`0x${held}`) >> SYS_NICE) & 1n) === 1n) return { highest: 99, leavesIdle: true };
  const limits = kernelFileIfThere(`/proc/${pid}/limits`) ?? "";
  const limit = (name: string): number => {
    const soft = new RegExp(`^Max ${name} priority\\s+(\\S+)`, "m").exec(limits)?.[1] ?? "0";
    return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  };
  // A limit of 20 is a nice value of 0.
  return { highest: Math.min(99, limit("realtime")), leavesIdle: limit("nice") >= 20 };
}
