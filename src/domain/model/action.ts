import type { Progress } from "./change.ts";

/** What can be asked of a whole machine, besides a change, and what is answered: shapes only. Sizes are bytes, times are milliseconds. */

/** Options of everything that only reads. `timeout` is for reaching the monitor, in milliseconds. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

/** Options of a look at a machine's memory. */
export interface MemoryOptions extends ReadOptions {
  /** For who looks often: of the host only what costs it nothing. */
  readonly glance?: boolean | undefined;
}

/** Options of `start`. */
export interface StartOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all of it; 60000 by default. */
  readonly timeout?: number | undefined;
  /** Leave it paused, as QEMU's -S does. */
  readonly paused?: boolean | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A machine that was started. Sizes in bytes, times in milliseconds. */
export interface StartReport {
  readonly name: string;
  readonly pid: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly notes: readonly string[];
  readonly elapsed: number;
}

/** Options of `shutdown` and `destroy`. `timeout` in milliseconds. */
export interface StopOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called when the guest has been asked to shut down: an interrupt can't take that back. */
  readonly onAsked?: (() => void) | undefined;
  /** Called by a restart when the machine has ended and is not started again yet. */
  readonly onStopped?: (() => void) | undefined;
}

/** A machine that has ended. */
export interface StopReport {
  readonly name: string;
  /** What ended it, as `the guest powered off`. */
  readonly how: string;
  readonly elapsed: number;
}

/** Options of a raw connection to a domain's monitor. */
export interface MonitorOptions extends ReadOptions {
  /**
   * `control`, the default: the monitor for changes. `watch`: the second one, for those who only look. `any`: whichever answers first, the
   * second one rather. If there is only one monitor, it is that one. A monitor serves one client at a time.
   */
  readonly monitor?: "control" | "watch" | "any" | undefined;
}
