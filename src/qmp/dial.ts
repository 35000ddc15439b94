import { setTimeout as wait } from "node:timers/promises";
import { formatTime } from "../errors.ts";
import { formatAddress, type Target } from "../wire/address.ts";
import { dial } from "../wire/dial.ts";
import { ConnectError, isQueueFull } from "../wire/errors.ts";
import { Framer, type FramingOptions } from "../wire/framing.ts";
import type { Transport } from "../wire/transport.ts";
import type { DeadlineSignal } from "./deadline-signal.ts";

/**
 * Connects before the deadline. A connection that is made after that is closed again.
 *
 * @throws what `late` returns when the deadline comes first; else as {@link dial} does
 */
export async function dialWithin(target: Target, deadline: DeadlineSignal, framer: Framer, late: () => Error): Promise<Transport> {
  const dialing = dial(target, deadline.signal, framer);
  try {
    return await deadline.race(dialing, late);
  } catch (error) {
    void dialing.then(
      (transport) => transport.close(),
      () => {},
    );
    throw error;
  }
}

/**
 * How long to wait before trying a full queue again, in milliseconds, at first and at most. The system does not tell when there is room.
 */
const [PAUSE, LONGEST_PAUSE] = [25, 100];

/**
 * Connects before the deadline, also to a monitor that is busy. A monitor serves one client and queues two more. The system refuses the
 * next one at once; we try again until the deadline.
 *
 * @throws ConnectError of the last attempt, or without any answer, when the deadline comes first; else as {@link dial} does
 */
export async function dialInTurn(target: Target, deadline: DeadlineSignal, framing: FramingOptions): Promise<Transport> {
  const peer = formatAddress(target);
  let full: ConnectError | undefined;
  const late = (): Error => full ?? new ConnectError(peer, `not connected within ${formatTime(deadline.timeout)}`);
  for (let pause = PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.25)) {
    try {
      return await dialWithin(target, deadline, new Framer(peer, framing), late);
    } catch (error) {
      if (!isQueueFull(error) || deadline.signal.aborted) throw error;
      full = error;
    }
    await deadline.race(wait(pause, undefined, { signal: deadline.signal }), late);
  }
}
