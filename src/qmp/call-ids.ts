/**
 * Makes the ids of requests. They are short, because QEMU makes a system call for each byte of a request. Two of their digits are random,
 * so that someone who reads a trace can tell connections apart. They need not be secret: QEMU answers in order, so a late reply to an
 * earlier client comes before the reply to qmp_capabilities, and that request has a long random id.
 */
export class CallIds {
  readonly #prefix = 10 + Math.floor(Math.random() * 90);
  #count = 0;

  /**
   * An id that is not in use. It has three digits while fewer than ten ids are in use. An id that has become free is used again in its
   * turn.
   */
  next(inUse: { readonly size: number; has(id: number): boolean }): number {
    let turns = 10;
    while (turns <= inUse.size) turns *= 10;
    for (;;) {
      const id = this.#prefix * turns + (this.#count++ % turns);
      if (!inUse.has(id)) return id;
    }
  }
}
