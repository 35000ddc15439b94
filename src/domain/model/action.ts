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
  /** Also wait until its guest answers. `timeout` is for that too then, and 5 minutes by default. */
  readonly wait?: GuestAnswer | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** How a guest shows that it is up: its agent answers, or this is on its console (a regular expression, looked for in each line). */
export type GuestAnswer = { readonly agent: true } | { readonly console: string };

/** Options of `run`: a start, and what follows it. Times in milliseconds. */
export interface RunOptions {
  /** Aborted before it runs: the start is undone. Aborted later: the guest is asked to shut down. */
  readonly signal?: AbortSignal | undefined;
  /** Aborted: the wait for the guest's shutdown ends, and the machine is ended. */
  readonly hurry?: AbortSignal | undefined;
  /** For the start; 60000 by default. */
  readonly timeout?: number | undefined;
  /** How long the guest may take to shut down; 60000 by default. */
  readonly shutdownTimeout?: number | undefined;
  /** Leave it paused, as QEMU's -S does. */
  readonly paused?: boolean | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Told of each thing that there is to say until its end. */
  readonly onStep?: ((step: RunStep) => void) | undefined;
}

/** What happens to a machine that is supervised. `timeout` in milliseconds. */
export type RunStep = { readonly name: string } & (
  | { readonly what: "started"; readonly report: StartReport }
  | { readonly what: "stopping"; readonly timeout: number }
  | { readonly what: "destroying"; readonly why: string }
  | { readonly what: "remark"; readonly text: string }
);

/** A supervised machine that has ended. */
export interface RunReport {
  readonly name: string;
  /** The process that it was last. */
  readonly pid: number;
  /** What ended it, as `the guest powered off`. */
  readonly how: string;
  /** Whether that was an orderly end: by the guest, or by a command that was meant to. */
  readonly clean: boolean;
}

/** Options of `unit`. `shutdownTimeout`: how long the guest may take to shut down, in milliseconds; 60000 by default. */
export interface UnitOptions {
  readonly shutdownTimeout?: number | undefined;
  /** For a user: one for the system's manager, which runs the machine as that user. */
  readonly system?: boolean | undefined;
}

/** A unit of systemd: its name, where it belongs, and its text. */
export interface Unit {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** Options of `autostart`. `force`: also where somebody has changed the unit. */
export interface AutostartOptions extends Omit<UnitOptions, "system"> {
  readonly disable?: boolean | undefined;
  readonly force?: boolean | undefined;
}

/** Whether a machine starts with the host now, by which unit, and whether that was so before. */
export interface AutostartReport {
  readonly name: string;
  readonly autostart: boolean;
  readonly changed: boolean;
  readonly unit: string;
  readonly path: string;
  readonly notes: readonly string[];
}

/** A machine that was started. Sizes in bytes, times in milliseconds. */
export interface StartReport {
  readonly name: string;
  readonly pid: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly notes: readonly string[];
  readonly elapsed: number;
  /** How its guest has answered, if that was waited for: the line on its console, or what its agent is. */
  readonly answer?: string;
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
