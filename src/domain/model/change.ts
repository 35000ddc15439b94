/** What can be asked of a domain, and what is answered: shapes only. Sizes are bytes, times are milliseconds, vCPUs are counted from 0. */

/** Which halves a change is for. `current` means the live half of a running domain, else the config. */
export type Scope = "current" | "static" | "dynamic" | "both";

/**
 * `unreachable`: a QEMU is there and does not answer. It never counts as `stopped`. The other words are QEMU's own, see `RunState` in its
 * documentation.
 */
export type { DomainState } from "./run-state.ts";

/** A resource's value: bytes, a count, or a Linux CPU list. `null`: not known, or there is none. */
export type Value = number | string | null;

/** How one half of a change ended. */
export type LegOutcome = "unchanged" | "applied" | "pending" | "rolled-back" | "failed" | "skipped";

/** One half (static or dynamic) of one change. */
export interface Leg {
  readonly outcome: LegOutcome;
  readonly before: Value;
  readonly wanted: Value;
  /** What it is now, read back after the work. */
  readonly actual: Value;
  /** Why it ended so, if that needs saying. */
  readonly reason?: string;
}

/** One reason why a change is refused, and what would work instead. */
export interface Refusal {
  readonly leg: "static" | "dynamic" | "domain";
  readonly reason: string;
  readonly instead?: string;
}

/** One step on the live half, as planned or as done. */
export interface StepReport {
  /** What it achieves, as `unplug vCPU 2`. */
  readonly what: string;
  /** The QMP command or the host's tool, as it is sent. */
  readonly sends: string;
  /** How it is taken back; absent if that is impossible. */
  readonly undo?: string;
  /** Why it can't be taken back. */
  readonly noUndo?: string;
  readonly outcome: "planned" | "done" | "pending" | "failed" | "undone" | "undo-failed" | "skipped";
  readonly reason?: string;
}

/** How the whole ended; `planned` is a dry run. */
export type Outcome = "planned" | "unchanged" | "applied" | "pending" | "rolled-back" | "failed" | "refused";

/** How far a long wait has come: for memory to move, vCPUs to be released, a guest to shut down, a lock, or a QEMU. */
export interface Progress {
  readonly what: string;
  readonly actual: Value;
  readonly wanted: Value;
  readonly elapsed: number;
  readonly timeout: number;
  /** The change failed, and is being undone. */
  readonly undoing?: true;
}

/** Options that every change takes. */
export interface ChangeOptions {
  readonly scope?: Scope | undefined;
  readonly dryRun?: boolean | undefined;
  /** Do it even if the guest may not survive it (memory below what the guest uses). */
  readonly force?: boolean | undefined;
  /** What happens to the steps that were done when a later one fails; `undo` by default. */
  readonly onFailure?: "undo" | "keep" | undefined;
  /** How long the live half may take, in milliseconds; 30000 by default. */
  readonly timeout?: number | undefined;
  /** How long undo may take after a failure, in milliseconds; 15000 by default. One more reading of both halves comes after that. */
  readonly undoTimeout?: number | undefined;
  /** Report also of a change that is made and stays how it would be taken back: who makes several may want them all back. */
  readonly takeBack?: boolean | undefined;
  /** Nobody asked for this one: the history keeps such changes apart, so that they push out none of the others. */
  readonly automatic?: boolean | undefined;
  /** The change ends by itself after this time: milliseconds, or as systemd writes it (`90s`, `30min`, `8h`, `1d`). */
  readonly for?: string | number | undefined;
  /** It ends by itself at this moment: `07:00`, `2026-12-01 07:00`, or as ISO 8601. By the clock and the zone of the machine's host. */
  readonly until?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called when it is planned and about to be made: from then on it is done, or taken back. Not called where there is nothing to do. */
  readonly onBegun?: (() => void | Promise<void>) | undefined;
  /**
   * Called when a change that had begun is over, before its record is removed: with its report, or the error that has it. Who keeps that
   * for others can so do it while a death in between still shows.
   */
  readonly onEnded?: ((outcome: object) => Promise<void>) | undefined;
}
