/** A program that was started here. */
export interface Running {
  /** Asks it to end, then kills it. Resolves when it has ended, or when it can't be killed. */
  end(): Promise<unknown>;
  /** Kills it at once. */
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
 * Ends every program that was started here and still runs, for a process that is about to exit. Closing a connection ends its program too,
 * but a call that is given up (at a deadline, by an interrupt) does not wait for that. Resolves when all have ended.
 */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map((program) => program.end()));
}

/** Kills them all at once, for a process that can't wait. */
export function killChildren(): void {
  for (const program of running) program.kill();
}
