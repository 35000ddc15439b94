import type { ScheduledThread } from "../facts/live-thread.ts";
import type { ChangeOptions } from "../model/change.ts";
import type { Resource } from "../resources/registry.ts";

/** Options of a change under a lock that is held already. */
export interface LockedOptions extends ChangeOptions {
  /** There is a journal already, of the change that this one resolves: it stays as it is. */
  readonly resolving?: boolean;
  /** What threads had before the change that this one takes back. */
  readonly threadsBefore?: readonly ScheduledThread[];
  /** The resources of which earlier changes no longer end by themselves once this one is made. */
  readonly cancelsEnds?: Resource | "all" | undefined;
  /** The key of the end that this change is. */
  readonly ofEnd?: string | undefined;
}
