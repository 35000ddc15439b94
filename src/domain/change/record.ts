import type { ProcessIdentity } from "../../host/signal.ts";
import type { ChangeEnd } from "../ends/change-end.ts";
import type { ScheduledThread } from "../facts/live-thread.ts";
import type { Caller } from "../machine/caller.ts";
import type { Scope, Value } from "../model/change.ts";
import type { Change } from "../resources/registry.ts";
import type { ThreadName } from "../resources/resource.ts";

/** What every record says: who wrote it, and which machine it is about. */
export interface RecordHead {
  readonly writer: number;
  /** When that process was started: process ids are reused. */
  readonly started: number | null;
  /** The boot of the host: neither the writer nor the machine outlives it. */
  readonly boot: string;
  /** ISO 8601. */
  readonly since: string;
  /** The config that it was made for; null for a QEMU without one. */
  readonly of: { readonly path: string; readonly id: string | null; readonly name: string } | null;
  /** The QEMU that was worked on; the record does not concern another one. */
  readonly machine: ProcessIdentity | null;
}

/**
 * S7 Journal: what a writer is about to do, and how it was before. It is kept from before the first live step until the change is committed
 * or undone. If one is found under the lock, its writer died.
 */
export interface Journal extends RecordHead {
  /** By what the machine's history calls the change. A record of an earlier version has none. */
  readonly key?: string | undefined;
  /** Who made it. */
  readonly who?: Caller | undefined;
  readonly scope: Scope;
  readonly changes: readonly JournalChange[];
  /** What the threads of vCPUs and iothreads had, as changes that give it to them: one that comes back has a new thread. */
  readonly threads: readonly Change[];
  /** The threads that the change brings to life, if it comes to that. */
  readonly brings: readonly ThreadName[];
  /** What each of QEMU's own threads had, and those of its vhost devices, as far as it was read. */
  readonly own: readonly ScheduledThread[];
  /** The config's text before and after; null if the config stays as it is. */
  readonly config: { readonly before: string; readonly after: string } | null;
  /** When it ends by itself, if it does: its timer is armed. */
  readonly end?: ChangeEnd | undefined;
}

/** One change, and the value that each half had before. */
export interface JournalChange {
  readonly change: Change;
  readonly config: Value;
  readonly live: Value;
  /** The value that the live half goes back to. If the guest was still moving, that is the target that it had. */
  readonly back: Value;
  /** The value that the config goes back to, if that is another than it showed. */
  readonly configBack?: Value | undefined;
}

/** An action on a whole machine that takes more than one step. */
export type Action = "start" | "restart" | "shutdown";

/** The record of an action. `machine` is the one that is to end, for a restart and a shutdown. */
export interface ActionRecord extends RecordHead {
  readonly action: Action;
  /** The machine was to stay paused when it is up. */
  readonly paused: boolean;
}
