import type { LateReply, SlowNotice } from "./call.ts";
import type { Timeouts } from "./timeouts.ts";

/**
 * What a session takes beside its transport. A hook runs on its own, after the session's code: an error that it throws is an uncaught
 * error, and the session goes on.
 */
export interface CallHooks {
  /** Timeouts by command, in milliseconds, in place of the built-in ones. */
  readonly timeouts?: Timeouts | undefined;
  /** Called when a call has no answer at half of its timeout. */
  readonly onSlow?: ((notice: SlowNotice) => void) | undefined;
  /** Called when a reply comes after its call was given up. */
  readonly onLate?: ((late: LateReply) => void) | undefined;
}

/** Calls a hook, if there is one, after the code that runs now. */
export function tell<T>(hook: ((what: T) => void) | undefined, what: T): void {
  if (hook !== undefined) queueMicrotask(() => hook(what));
}
