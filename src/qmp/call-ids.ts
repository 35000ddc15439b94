/**
 * Ids for requests: short, as QEMU makes a system call for each byte of a request, and with two random digits, so that someone who reads
 * a trace can tell connections apart. They need not be secret: a late reply to an earlier client comes before the reply to
 * qmp_capabilities, since QEMU answers in order, and that request has a long random id.
 */
export class CallIds {
  readonly #prefix = 10 + Math.floor(Math.random() * 90);
  #count = 0;

  /** An id that is not in use. Three digits while fewer than ten are; a free one is used again when its turn comes. */
  next(inUse: { readonly size: number; has(id: number): boolean }): number {
    let turns = 10;
    while (turns <= inUse.size) turns *= 10;
    for (;;) {
      const id = this.#prefix * turns + (this.#count++ % turns);
      if (!inUse.has(id)) return id;
    }
  }
}
