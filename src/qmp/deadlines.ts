import { alarmIn, now } from "../deadline.ts";

/**
 * One alarm for all calls of a connection: an alarm for each would cost more than the call. It rings at the earliest deadline, or before
 * that.
 */
export class Deadlines {
  readonly #expire: (now: number) => number;
  #cancel: () => void = () => {};
  /** When the alarm rings; Infinity when none is set. */
  #at = Infinity;

  /** `expire` ends the calls that are due and returns the next deadline, Infinity for none. Times as of {@link now}. */
  constructor(expire: (now: number) => number) {
    this.#expire = expire;
  }

  /** Makes sure that the alarm rings at that time or before. */
  arm(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    this.#cancel();
    this.#cancel = alarmIn(Math.max(1, Math.ceil(at - now())), () => this.#ring());
  }

  stop(): void {
    this.#cancel();
    this.#at = Infinity;
  }

  #ring(): void {
    this.#at = Infinity;
    this.arm(this.#expire(now()));
  }
}
