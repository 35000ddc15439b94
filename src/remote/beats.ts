import { now } from "../deadline.ts";
import { BEAT, SILENCE } from "./frame.ts";

/**
 * Says from time to time that this end is there, and notices when the other one is not: a cut link says nothing for many minutes, even
 * while one writes to it.
 */
export class Beats implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #last: number = now();
  #count = 0;

  /** `silent` is called when nothing was heard for too long. */
  constructor(send: (frame: object) => void, silent: () => void) {
    this.#timer = setInterval(() => {
      // Looked at after what has arrived was read: this process may have been held up itself.
      setImmediate(() => {
        if (now() - this.#last > SILENCE) silent();
      });
      send({ beat: ++this.#count });
    }, BEAT).unref();
  }

  /** The other end said something. */
  heard(): void {
    this.#last = now();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
