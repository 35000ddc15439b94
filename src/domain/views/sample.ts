import type { HostLoad } from "../../host/load.ts";
import type { TapCounters } from "../../host/taps.ts";
import type { DomainInfo } from "./inspect.ts";
import type { DiskStats, VcpuStats } from "./stats.ts";

/** One look at this host and at all machines on it. Counters only grow while a QEMU runs: rates come from two samples. */
export interface Sample {
  /** By a clock that nobody sets, in milliseconds; only differences mean something. */
  readonly at: number;
  /** By this host's clock; ISO 8601. */
  readonly time: string;
  readonly host: HostLoad & { readonly name: string };
  /** By name, those of the config folder first. */
  readonly machines: readonly MachineSample[];
}

/** What is known of one machine. What the kernel counts is of this moment; what QEMU says is as old as `asked` says. */
export interface MachineSample {
  readonly name: string;
  /** Whether it has a config in the folder. Of others only /proc is read, and nobody is asked. */
  readonly defined: boolean;
  /** Null: it runs, and nobody here knows more, as another client holds its monitor, or it is not ours to ask. */
  readonly state: DomainInfo["state"] | null;
  /** Why that is so, where it needs saying. */
  readonly reason?: string;
  readonly pid?: number;
  /** The user whose process it is, where that is another one. */
  readonly user?: number;
  /** CPU time of all of QEMU in milliseconds; null where it does not run. */
  readonly cpuTime: number | null;
  readonly vcpus: readonly VcpuSample[];
  /** How many vCPUs it has, and can have; null where nobody says. */
  readonly count: { readonly current: number | null; readonly max: number | null };
  readonly memory: MemorySample;
  /** As QEMU counted them at `at`, by the clock of `Sample.at`; null if it was not asked yet. */
  readonly disks: { readonly at: number; readonly disks: readonly DiskStats[] } | null;
  readonly nets: readonly TapCounters[];
  /** In what the running machine differs from its config, and why: looked at less often than the rest. */
  readonly differs: readonly Difference[];
  /** A change of it was interrupted, and waits for `recover`. */
  readonly interrupted: boolean;
  /** Milliseconds since QEMU last answered; null if it never did. */
  readonly asked: number | null;
}

/** One vCPU. */
export interface VcpuSample extends VcpuStats {
  /** The host's CPU that it last ran on; null where that is not known. */
  readonly cpu: number | null;
}

/** Memory in bytes; null where nobody knows it. */
export interface MemorySample {
  /** What QEMU gives the guest now, or the config will. */
  readonly current: number | null;
  /** What the balloon is on its way to; null where it is not. */
  readonly target: number | null;
  readonly max: number | null;
  /** What QEMU has in this host's RAM. */
  readonly host: number | null;
  /** What its cgroup is charged for, where it has one of its own. */
  readonly cgroup: number | null;
  /** What the guest said last, where QEMU asks it (`memory.period`); nobody switches that on here. */
  readonly guest: { readonly total: number; readonly available: number } | null;
}

/** One thing that is not as the config has it. */
export interface Difference {
  /** As in `diff`: `memory`, `vcpu-pin 0`. */
  readonly resource: string;
  /** `next start`: the running machine can't follow. `drift`: one side was changed alone. `moving`: the guest is at it. */
  readonly kind: "next start" | "drift" | "moving";
  readonly why: string;
}

/** How samples are taken. */
export interface SampleOptions {
  readonly signal?: AbortSignal | undefined;
  /** Asks each QEMU for this sample, and waits until all have answered, or this many milliseconds have passed. */
  readonly settle?: number | undefined;
}
