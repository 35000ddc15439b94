import type { Call } from "./call.ts";

/** Calls that wait to be sent, in order. Those that were settled meanwhile are passed over. */
export class CallQueue {
  #calls: Call[] = [];
  /** Where the queue begins. Shifting a long array would cost time in proportion to its length. */
  #head = 0;

  push(call: Call): void {
    this.#calls.push(call);
  }

  /** Takes the next call that still waits; undefined when there is none. */
  shift(): Call | undefined {
    while (this.#head < this.#calls.length) {
      const call = this.#calls[this.#head++] as Call;
      if (!call.settled) return call;
    }
    this.clear();
    return undefined;
  }

  clear(): void {
    if (this.#head > 0 || this.#calls.length > 0) this.#calls = [];
    this.#head = 0;
  }

  *[Symbol.iterator](): Iterator<Call> {
    for (let at = this.#head; at < this.#calls.length; at++) yield this.#calls[at] as Call;
  }
}
