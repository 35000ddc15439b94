import type { QmpEvent } from "../schema/event.ts";
import { ClosedError, TimeoutError } from "./errors.ts";
import type { EventStream } from "./event-stream.ts";
import { Patience } from "./patience.ts";

/** The first event of a stream, within a time. Leaves the stream. */
export async function firstOf<Name extends string>(
  stream: EventStream<Name>,
  options: { readonly signal?: AbortSignal | undefined; readonly timeout?: number | undefined },
  what: string,
): Promise<QmpEvent<Name>> {
  const { timeout = Infinity } = options;
  let patience: Patience | undefined;
  try {
    patience = new Patience(timeout, options.signal);
    const first = await patience.within(stream.next(), () => new TimeoutError(what, timeout, "awaited"));
    if (first.done !== true) return first.value;
    throw new ClosedError(what, "the session was closed here", { sent: false });
  } finally {
    patience?.done();
    stream[Symbol.dispose]();
  }
}
