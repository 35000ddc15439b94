import { Buffer } from "node:buffer";

const NOTHING = Buffer.alloc(0);

/** The bytes of a message whose end has not come yet. The buffer doubles as it fills, so that each byte is copied only a few times. */
export class HeldBytes {
  readonly #limit: number;
  #buffer: Buffer = NOTHING;
  #length = 0;

  /** `limit`: the most bytes that are ever held. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  add(part: Buffer): void {
    const needed = this.#length + part.length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(this.#buffer.length * 2, this.#limit)));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  /** The first bytes, at most so many. They are valid until the next call. */
  first(length: number): Buffer {
    return this.#buffer.subarray(0, Math.min(this.#length, length));
  }

  /** Forgets the bytes, and keeps the buffer for the next ones. */
  clear(): void {
    this.#length = 0;
  }

  /** Forgets the bytes, and lets go of the buffer. */
  release(): void {
    this.#buffer = NOTHING;
    this.#length = 0;
  }
}
