/** A microtask from a promise costs a quarter of one from `queueMicrotask`, which keeps the context of its caller. */
const SOON = Promise.resolve();

/** Collects what one turn of the event loop sends, and sends it in one write. */
export class Outbox {
  readonly #send: (text: string) => void;
  #unsent = "";

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  put(text: string): void {
    if (this.#unsent === "") void SOON.then(this.#flush);
    this.#unsent += text;
  }

  readonly #flush = (): void => {
    const text = this.#unsent;
    this.#unsent = "";
    this.#send(text);
  };
}
