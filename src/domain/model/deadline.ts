/** A moment by which the work has to be done: one for all that a call does, by the one clock that nobody can set. */
export interface Deadline {
  readonly timeout: number;
  elapsed(): number;
  /** Milliseconds left, never below 0. */
  left(): number;
}

/** Starts a deadline that ends `timeout` milliseconds from now. */
export function deadlineIn(timeout: number): Deadline {
  const start = performance.now();
  const elapsed = (): number => Math.round(performance.now() - start);
  return { timeout, elapsed, left: () => Math.max(0, timeout - elapsed()) };
}
