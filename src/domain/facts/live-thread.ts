import type { SchedulingRights } from "../../host/chrt.ts";

/** One thread that has a mask of its own. */
export interface LiveThread {
  readonly tid: number;
  /** A Linux CPU list; null if the thread is not on this host. */
  readonly affinity: string | null;
}

/** One thread that has a policy of its own too. */
export interface ScheduledThread extends LiveThread {
  /** Its scheduling policy, as `other` or `fifo:1`; null if the thread is not on this host. */
  readonly policy: string | null;
}

/** One iothread, by its id. */
export interface LiveIothread extends ScheduledThread {
  readonly id: string;
  /** What is set of it, as `poll-max-ns`; absent what this QEMU has not got. */
  readonly settings: Readonly<Partial<Record<string, number>>>;
  /** Whether this QEMU weighs how long it polls: it has other defaults then. */
  readonly weighs: boolean;
  /** What uses it, as QEMU names it: the ids of devices, and of objects. */
  readonly users: readonly string[];
}

/** How the threads of QEMU are scheduled that are no iothreads. */
export interface LiveScheduling {
  /** The policy of each vCPU's thread, by the vCPU's number. */
  readonly vcpus: ReadonlyMap<number, string>;
  /** The policy of QEMU's main thread, which new threads inherit; null if it is not on this host. */
  readonly main: string | null;
  readonly rights: SchedulingRights;
}
