/// <reference lib="esnext.disposable" preserve="true" />
import { alarmIn, type Deadline, deadlineIn } from "../deadline.ts";
import { UsageError } from "../errors.ts";
import { onAbort } from "../wire/abort.ts";

/**
 * A deadline and the caller's signal as one signal, for a call of several steps. Whichever comes first ends the call. Dispose it when
 * the call is over.
 */
export class DeadlineSignal implements Deadline, Disposable {
  readonly #deadline: Deadline;
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  readonly #forget: (() => void) | undefined;

  /**
   * Starts the deadline. `timeout` in milliseconds, Infinity for none.
   *
   * @throws UsageError when the timeout is not above 0; the signal's reason when it is aborted already
   */
  constructor(timeout: number, signal: AbortSignal | undefined) {
    if (!(timeout > 0)) throw new UsageError(`a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" });
    signal?.throwIfAborted();
    this.#deadline = deadlineIn(timeout);
    this.#forget = signal === undefined ? undefined : onAbort(signal, () => this.#controller.abort(signal.reason));
    this.#cancel = alarmIn(timeout, () => this.#controller.abort(LATE));
  }

  get timeout(): number {
    return this.#deadline.timeout;
  }

  elapsed(): number {
    return this.#deadline.elapsed();
  }

  left(): number {
    return this.#deadline.left();
  }

  /** Aborted at the deadline, or when the caller's signal is: for steps that take a signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * The outcome of one step.
   *
   * @throws what `late` returns when the deadline comes first; the caller's reason as it is when the signal is aborted first; else what the
   *   step throws
   */
  async race<T>(step: Promise<T>, late: () => Error): Promise<T> {
    const { signal } = this;
    let stop = (): void => {};
    const end = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason === LATE ? late() : signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
    // A step that was given our signal rejects with our own mark.
    const told = step.catch((cause: unknown) => {
      throw cause === LATE ? late() : cause;
    });
    return Promise.race([told, end]).finally(() => signal.removeEventListener("abort", stop));
  }

  /** Cancels the alarm, and stops listening to the caller's signal. */
  [Symbol.dispose](): void {
    this.#cancel();
    this.#forget?.();
  }
}

const LATE = Symbol("late");
