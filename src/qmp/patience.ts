import { UsageError } from "../errors.ts";
import { onAbort } from "../wire/abort.ts";

/** One deadline and one signal over several steps. Ends with whichever comes first. */
export class Patience {
  /** Milliseconds for all steps together. */
  readonly timeout: number;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #forget: (() => void) | undefined;

  constructor(timeout: number, signal: AbortSignal | undefined) {
    if (!(timeout > 0)) throw new UsageError(`a timeout of ${timeout}`, { value: timeout, expected: "milliseconds above 0, or Infinity" });
    this.timeout = timeout;
    signal?.throwIfAborted();
    this.#forget = signal === undefined ? undefined : onAbort(signal, () => this.#controller.abort(signal.reason));
    // What came while this process was held up is read before anything is found to be late.
    if (timeout < 2 ** 31) this.#timer = setTimeout(() => setImmediate(() => this.#controller.abort(LATE)), timeout);
  }

  /** Aborted at the end of patience, for steps that can be told. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The step's outcome, or when patience ends first: the caller's reason untouched, or what `late` says. */
  async within<T>(step: Promise<T>, late: () => Error): Promise<T> {
    const { signal } = this;
    let stop = (): void => {};
    const end = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason === LATE ? late() : signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    });
    // A step that heeds the signal rejects with our own mark.
    const told = step.catch((cause: unknown) => {
      throw cause === LATE ? late() : cause;
    });
    return Promise.race([told, end]).finally(() => signal.removeEventListener("abort", stop));
  }

  /** Lets go of the timer and of the caller's signal. */
  done(): void {
    clearTimeout(this.#timer);
    this.#forget?.();
  }
}

const LATE = Symbol("late");
