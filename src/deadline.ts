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

/** The clock of all deadlines: milliseconds since this process started, monotonic. */
export function now(): number {
  return performance.now();
}

/** The longest time that setTimeout takes. */
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * Calls `act` once `time` milliseconds are over, and never before this process has read what arrived while it was held up: an answer
 * that is there already must not be found late. Times above 24 days never end.
 *
 * @returns a function that cancels the alarm
 */
export function alarmIn(time: number, act: () => void): () => void {
  if (time > LONGEST_TIMER) return () => {};
  let immediate: ReturnType<typeof setImmediate> | undefined;
  const timer = setTimeout(() => (immediate = setImmediate(act)), time);
  return () => {
    clearTimeout(timer);
    clearImmediate(immediate);
  };
}
