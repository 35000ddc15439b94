/** A program that was started here. */
export interface Running {
  /** Asks it to end, then insists; settles when it has ended, or can't be made to. */
  end(): Promise<unknown>;
  /** Ends it at once. */
  kill(): void;
}

const running = new Set<Running>();

/** Remembers a program until it has ended. */
export function remember(program: Running, ended: Promise<unknown>): void {
  running.add(program);
  const forget = (): void => void running.delete(program);
  ended.then(forget, forget);
}

/**
 * Ends every program that was started here and has not ended: for a process that is about to exit. Closing a connection ends its
 * program, but whoever gives a connection up (a deadline, an interrupt) does not wait for that. Settles when they are gone.
 */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map((program) => program.end()));
}

/** Ends them all in this moment, for a process that won't wait. */
export function killChildren(): void {
  for (const program of running) program.kill();
}
