/**
 * What can be asked of a domain, and what is answered: shapes only.
 * Sizes are bytes, times are milliseconds, vCPUs are counted from 0.
 */

/** Which description of the domain a change is for. `current` is the live one of a running domain, else the config. */
export type Scope = "current" | "static" | "dynamic" | "both";

/**
 * `unreachable`: a QEMU is there and does not answer; it is never taken for `stopped`. The others are QEMU's own words, see `RunState` of
 * its documentation.
 */
export type { DomainState } from "./run-state.ts";

/** A resource's value: bytes, a count, or a Linux CPU list. `null`: not known there, or there is none. */
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
  /** Why it ended so, where that needs saying. */
  readonly reason?: string;
}

/** One reason why a change is refused, and what would work instead. */
export interface Refusal {
  readonly leg: "static" | "dynamic" | "domain";
  readonly reason: string;
  readonly instead?: string;
}

/** One step on the live machine, as planned or as done. */
export interface StepReport {
  /** What it is to achieve, as `unplug vCPU 2`. */
  readonly what: string;
  /** The QMP command or the host's tool, as it is sent. */
  readonly sends: string;
  /** How it is taken back; absent where that is impossible. */
  readonly undo?: string;
  /** Why it can't be. */
  readonly noUndo?: string;
  readonly outcome: "planned" | "done" | "pending" | "failed" | "undone" | "undo-failed" | "skipped";
  readonly reason?: string;
}

/** How the whole ended; `planned` is a dry run. */
export type Outcome = "planned" | "unchanged" | "applied" | "pending" | "rolled-back" | "failed" | "refused";

/** Where a long wait is: memory on its way, vCPUs on their way out, a guest shutting down, a lock or a QEMU that is waited for. */
export interface Progress {
  readonly what: string;
  readonly actual: Value;
  readonly wanted: Value;
  readonly elapsed: number;
  readonly timeout: number;
  /** What was half done is being taken back. */
  readonly undoing?: true;
}

/** Options that every change takes. */
export interface ChangeOptions {
  readonly scope?: Scope | undefined;
  readonly dryRun?: boolean | undefined;
  /** Do it though the guest may not survive it (memory below what the guest uses). */
  readonly force?: boolean | undefined;
  /** What happens to what was done when a step fails; `undo` by default. */
  readonly onFailure?: "undo" | "keep" | undefined;
  /** How long the live half may take, in milliseconds; 30000 by default. */
  readonly timeout?: number | undefined;
  /** How long taking it back may take when it fails, in milliseconds; 15000 by default. A look at what is left comes after that. */
  readonly undoTimeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}
