import type { Message } from "./transport.ts";

/**
 * A queue of batches of messages, from a source that pushes to the one reader that pulls. It has no bound, because the reader always reads.
 */
export class Inbox implements AsyncIterableIterator<readonly Message[]> {
  #batches: (readonly Message[])[] = [];
  /** How many batches have been read. Shifting a long array would cost time in proportion to its length. */
  #read = 0;
  #waiting: { resolve(result: IteratorResult<readonly Message[], undefined>): void; reject(cause: unknown): void } | undefined;
  #ended = false;
  #failure: unknown;

  push(batch: readonly Message[]): void {
    if (this.#ended || batch.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) this.#batches.push(batch);
    else waiting.resolve({ value: batch, done: false });
  }

  /** Ends the iteration after what is queued. With a failure, the iteration then throws it. Only the first end counts. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting === undefined) return;
    this.#failure = undefined;
    if (failure === undefined) waiting.resolve({ value: undefined, done: true });
    else waiting.reject(failure);
  }

  next(): Promise<IteratorResult<readonly Message[], undefined>> {
    const batch = this.#batches[this.#read];
    if (batch !== undefined) return Promise.resolve({ value: this.#take(batch), done: false });
    if (!this.#ended) return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(failure);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(batch: readonly Message[]): readonly Message[] {
    this.#read++;
    if (this.#read === this.#batches.length || (this.#read > 1024 && this.#read * 2 > this.#batches.length)) {
      this.#batches = this.#batches.slice(this.#read);
      this.#read = 0;
    }
    return batch;
  }
}
