import { kernelFileIfThere } from "./kernel-file.ts";
import { kib } from "./resident.ts";

/** What this host as a whole has, and has used. Bytes and milliseconds. */
export interface HostLoad {
  readonly cpus: number;
  /** CPU time of all CPUs since boot; `busy` is all but idle and waiting for disks, `stolen` what this host's own host took. */
  readonly cpuTime: { readonly total: number; readonly busy: number; readonly stolen: number };
  /** Processes that ran or waited to, on average over 1, 5 and 15 minutes. */
  readonly load: readonly number[];
  /** How much of the last ten seconds some process waited for each, in percent; null where the kernel does not count it. */
  readonly pressure: { readonly cpu: number | null; readonly memory: number | null; readonly io: number | null };
  readonly memory: { readonly total: number; readonly available: number; readonly swap: number; readonly swapFree: number };
}

/** Milliseconds of a clock tick in /proc: USER_HZ is 100 on every Linux that Node runs on. */
const TICK = 10;

/** Reads it. Sources: /proc/stat, /proc/loadavg, /proc/meminfo, see proc(5); /proc/pressure, see the kernel's accounting/psi document. */
export function hostLoad(): HostLoad {
  const meminfo = kernelFileIfThere("/proc/meminfo") ?? "";
  return {
    ...processorsIn(kernelFileIfThere("/proc/stat") ?? ""),
    load: (kernelFileIfThere("/proc/loadavg") ?? "").split(" ").slice(0, 3).map(Number),
    pressure: { cpu: pressureOf("cpu"), memory: pressureOf("memory"), io: pressureOf("io") },
    memory: {
      total: kib(meminfo, "MemTotal"),
      available: kib(meminfo, "MemAvailable"),
      swap: kib(meminfo, "SwapTotal"),
      swapFree: kib(meminfo, "SwapFree"),
    },
  };
}

/** The CPUs that are online, and the time of all of them, in the text of a /proc/stat. Guests' time is in that of users already. */
export function processorsIn(stat: string): Pick<HostLoad, "cpus" | "cpuTime"> {
  const ticks = /^cpu +([\d ]+)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, stolen = 0] = ticks;
  const busy = user + nice + system + irq + softirq;
  const time = { total: busy + idle + iowait + stolen, busy, stolen };
  return {
    cpus: stat.match(/^cpu\d/gm)?.length ?? 0,
    cpuTime: { total: time.total * TICK, busy: time.busy * TICK, stolen: time.stolen * TICK },
  };
}

function pressureOf(what: string): number | null {
  return pressureIn(kernelFileIfThere(`/proc/pressure/${what}`) ?? "", "some");
}

/**
 * How much of the last ten seconds some, or all, processes waited, in percent, in the text of a /proc/pressure file; null if it is not
 * told.
 */
export function pressureIn(text: string, who: "some" | "full"): number | null {
  const found = new RegExp(`^${who} avg10=([\\d.]+) `, "m").exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
