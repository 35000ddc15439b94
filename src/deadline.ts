/**
 * The moment by which a call has to be done. One deadline is carried through everything that the call does. It runs on the monotonic
 * clock, which nobody can set. Times are in milliseconds.
 */
export interface Deadline {
  /** How long there was at the start; Infinity for no deadline. */
  readonly timeout: number;
  /** How long ago it started. */
  elapsed(): number;
  /** How long there is still, never below 0. */
  left(): number;
}

/** Starts a deadline that ends `timeout` milliseconds from now. */
export function deadlineIn(timeout: number): Deadline {
  const start = now();
  const elapsed = (): number => Math.round(now() - start);
  return { timeout, elapsed, left: () => Math.max(0, timeout - elapsed()) };
}

/** Starts the deadline of one part of a call: it ends `timeout` milliseconds from now, or with the `whole` if that is sooner. */
export function partOf(whole: Deadline, timeout: number): Deadline {
  return deadlineIn(Math.min(timeout, whole.left()));
}

/** The clock of all deadlines: milliseconds, monotonic. Not `performance.now()`, with which Node loads eight modules. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

/** The longest time that setTimeout takes, 24 days; it ends a longer one at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls `act` when `time` milliseconds are over; never for Infinity. If this process was held up for that long, it first reads what
 * arrived meanwhile: an answer that is already here must not count as late.
 *
 * @returns a function that cancels the alarm
 */
export function alarmIn(time: number, act: () => void): () => void {
  if (time === Infinity) return () => {};
  let cancelNext = (): void => {};
  const ring = (): void => {
    if (time > LONGEST_TIMER) cancelNext = alarmIn(time - LONGEST_TIMER, act);
    else {
      const immediate = setImmediate(act);
      cancelNext = () => clearImmediate(immediate);
    }
  };
  const timer = setTimeout(ring, Math.min(time, LONGEST_TIMER));
  return () => {
    clearTimeout(timer);
    cancelNext();
  };
}
