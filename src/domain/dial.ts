import { setTimeout as wait } from "node:timers/promises";
import { QmpctlError } from "../errors.ts";
import { connect, type Session } from "../qmp/session.ts";
import { deadlineIn } from "./step.ts";

/** How long to wait before a full queue is tried again, in milliseconds. */
const PAUSE = 25;

/**
 * Connects to a monitor by the deadline, also when clients before us fill its queue: QEMU queues two, dead ones count until it has
 * looked at them, and the kernel turns away the next at once (EAGAIN) without a word when there is room again.
 *
 * @throws the session's errors: connect, greeting, negotiation; an abort rejects with the signal's reason
 */
export async function connectInTurn(address: string, options: { readonly timeout: number; readonly signal?: AbortSignal | undefined }): Promise<Session> {
  const { timeout, signal } = options;
  const deadline = deadlineIn(timeout);
  for (;;) {
    try {
      return await connect(address, { timeout: Math.max(1, deadline.left()), ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      if (!isQueueFull(error) || deadline.left() <= PAUSE) throw error;
    }
    await wait(PAUSE);
    signal?.throwIfAborted();
  }
}

/** Somebody listens there, and has more clients waiting than the queue holds: a machine that is there, and busy. */
export function isQueueFull(error: unknown): boolean {
  return error instanceof QmpctlError && error.code === "connect" && "errno" in error && error.errno === "EAGAIN";
}
