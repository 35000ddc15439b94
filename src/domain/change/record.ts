import type { ProcessIdentity } from "../../host/signal.ts";
import type { Scope, Value } from "../model/change.ts";
import type { Change } from "../resources/registry.ts";

/** What every record says: who wrote it, and which machine it is about. */
export interface RecordHead {
  readonly writer: number;
  /** When that process was started: ids are reused. */
  readonly started: number | null;
  /** The run of the host: neither the writer nor the machine lives longer. */
  readonly boot: string;
  /** ISO 8601. */
  readonly since: string;
  /** The config that it was made for; null for a QEMU that has none. */
  readonly of: { readonly path: string; readonly id: string | null; readonly name: string } | null;
  /** The QEMU that was being worked on; another one by now has no part in it. */
  readonly machine: ProcessIdentity | null;
}

/**
 * What a writer is about to do, and how it was before: kept from before the first live step until the change is committed or
 * taken back. One that is found under the lock means that its writer died.
 */
export interface Journal extends RecordHead {
  readonly scope: Scope;
  readonly changes: readonly JournalChange[];
  /** The masks of the vCPUs' threads: one that is plugged again has a new thread. */
  readonly masks: Readonly<Record<string, string>>;
  /** The config's text before, and after; null where the config has no part in it. */
  readonly config: { readonly before: string; readonly after: string } | null;
}

/** One change, and what each half had before. */
export interface JournalChange {
  readonly change: Change;
  readonly config: Value;
  readonly live: Value;
  /** What the live half goes back to: where the guest was still on its way, that is the target it had. */
  readonly back: Value;
}

/** What is done to a whole machine and takes more than one step. */
export type Action = "start" | "restart" | "shutdown";

/** The record of an action. `machine` is the one that is to end, of a restart and a shutdown. */
export interface ActionRecord extends RecordHead {
  readonly action: Action;
  /** It was to be left paused when it is up. */
  readonly paused: boolean;
}
