import type { Deadline } from "../../deadline.ts";

/** Something that comes about in its own time, as its state shows. */
export interface Awaited<T> {
  /** Reads the state. */
  readonly look: () => Promise<T>;
  readonly done: (seen: T) => boolean;
  /** Told what each look has seen. */
  readonly onLook?: (seen: T) => void;
  /** What may tell before a pause is over that another look is worth it. */
  readonly hints?: Hints;
  /** How long to pause after each look, in milliseconds; the last one is repeated. */
  readonly pauses?: readonly number[];
}

/**
 * A source of hints that a state may have changed. A hint is never more than that: some events do not come at all (DEVICE_DELETED of a
 * vCPU under TCG).
 */
export interface Hints extends Disposable {
  /** Makes sure that hints are listened to from now on. It is called before each look: the connection may be another one by then. */
  listen(hear: () => void): void;
}

/** By when to stop looking, and what cuts it short. */
export interface Until {
  readonly by: Deadline;
  readonly signal?: AbortSignal | undefined;
}

/** An event, as far as waiting reads it. */
export interface Hint {
  readonly event: string;
  readonly data?: unknown;
}

const PAUSES: readonly number[] = [20, 30, 45, 70, 100, 150, 200];

/**
 * Looks until the state is reached or the deadline passes, and at least once. This is the one way in which the domain waits for a state:
 * the state decides, and an event is only a hint to look again.
 *
 * @throws what a look throws; the signal's reason
 */
export async function pollUntil<T>(
  { look, done, onLook, hints, pauses = PAUSES }: Awaited<T>,
  { by, signal }: Until,
): Promise<{ readonly seen: T; readonly done: boolean }> {
  using _hints = hints;
  const pause = new Pause();
  for (let turn = 0; ; turn++) {
    signal?.throwIfAborted();
    hints?.listen(pause.end);
    const seen = await look();
    onLook?.(seen);
    if (done(seen)) return { seen, done: true };
    if (by.left() === 0) return { seen, done: false };
    await pause.for(Math.min(pauses[turn] ?? pauses.at(-1) ?? 0, by.left()), signal);
  }
}

/** A pause that a hint or an abort ends early. What was hinted at since the last pause counts for the next one. */
class Pause {
  #isOver = false;
  #wake: (() => void) | undefined;

  readonly end = (): void => {
    this.#isOver = true;
    this.#wake?.();
  };

  async for(time: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#isOver) await new Promise<void>((resolve) => this.#begin(time, signal, resolve));
    this.#isOver = false;
  }

  #begin(time: number, signal: AbortSignal | undefined, resolve: () => void): void {
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      this.#wake = undefined;
      resolve();
    };
    const timer = setTimeout(wake, time);
    this.#wake = wake;
    signal?.addEventListener("abort", wake, { once: true });
    // One that came during the look fires no more.
    if (signal?.aborted === true) wake();
  }
}
