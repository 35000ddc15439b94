import type { ProcessIdentity } from "../../host/signal.ts";
import type { Timer } from "../../host/timers.ts";
import type { ScheduledThread } from "../facts/live-thread.ts";
import type { Outcome, Value } from "../model/change.ts";
import type { Change } from "../resources/registry.ts";

/** One value that a change with an end left behind. */
export interface EndItem {
  /** The change as it was made: what it left. */
  readonly change: Change;
  /** What was there before, as it was shown. */
  readonly before: Value;
  /** The value that leads back to it. */
  readonly back: Value;
}

/** A change that ends by itself: what it left, what was before, when it ends, and which timer of the host's sees to that. */
export interface ChangeEnd {
  /** Twelve hexadecimal digits, by which the timer names it. */
  readonly key: string;
  /** ISO 8601, in UTC: when it ends, and when it was made. */
  readonly due: string;
  readonly since: string;
  readonly timer: Timer;
  /** Whether it was made with `force`: then it is taken back so too. */
  readonly force: boolean;
  /** The QEMU that it was made on: no other one is touched. */
  readonly machine: ProcessIdentity;
  readonly boot: string;
  readonly items: readonly EndItem[];
  /** What threads had that come and go with it, as changes that give it to them. */
  readonly threads: readonly Change[];
  /** What QEMU's own threads had. */
  readonly own: readonly ScheduledThread[];
  /** Why it could not be taken back, the last time that was tried, and when that was. */
  readonly failure?: { readonly at: string; readonly why: string } | undefined;
}

/** How the last end went, as nobody watches. */
export interface LastEnd {
  /** ISO 8601: when it was due, and when it was done. */
  readonly due: string;
  readonly at: string;
  readonly outcome: Outcome;
  /** What was taken back and what was not, one line each. */
  readonly notes: readonly string[];
}

/** What is kept of a machine's changes with an end. */
export interface Ends {
  readonly ends: readonly ChangeEnd[];
  readonly last: LastEnd | null;
  /** Why nothing of it can be read, where there is something. It is not kept. */
  readonly unreadable?: string;
}
