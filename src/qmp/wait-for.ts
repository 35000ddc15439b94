import type { QmpEvent } from "../schema/event.ts";
import { DeadlineSignal } from "./deadline-signal.ts";
import { ClosedError, TimeoutError } from "./errors.ts";
import type { EventStream } from "./event-stream.ts";

/**
 * The first event of a stream; leaves the stream then. `what` names the event in errors.
 *
 * @throws TimeoutError when none comes by the deadline; ClosedError when the session was closed here; the error that ended the stream; the
 *   signal's reason as it is
 */
export async function firstOf<Name extends string>(
  stream: EventStream<Name>,
  options: { readonly signal?: AbortSignal | undefined; readonly timeout?: number | undefined },
  what: string,
): Promise<QmpEvent<Name>> {
  const { timeout = Infinity } = options;
  using events = stream;
  using deadline = new DeadlineSignal(timeout, options.signal);
  const first = await deadline.race(events.next(), () => new TimeoutError(what, timeout, "awaited"));
  if (first.done !== true) return first.value;
  throw new ClosedError(what, "the session was closed here", { sent: false });
}
