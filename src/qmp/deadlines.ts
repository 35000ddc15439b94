/** One timer for all calls of a connection: a timer each would cost more than the call. It goes off at the earliest deadline, or before. */
export class Deadlines {
  readonly #expire: (now: number) => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Infinity;

  /** `expire` ends what is due and returns the next deadline, Infinity for none. Times are milliseconds of `performance.now()`. */
  constructor(expire: (now: number) => number) {
    this.#expire = expire;
  }

  /** Makes sure that the timer goes off by then. */
  arm(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ring(), Math.min(Math.max(1, Math.ceil(at - performance.now())), LONGEST_TIMER));
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#at = Infinity;
  }

  /** What came while this process was held up is read before anything is found to be late. */
  #ring(): void {
    setImmediate(() => {
      if (this.#at === Infinity) return;
      this.#at = Infinity;
      this.arm(this.#expire(performance.now()));
    });
  }
}

/** setTimeout takes no more. */
const LONGEST_TIMER = 2 ** 31 - 1;
