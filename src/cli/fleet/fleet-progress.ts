import { flow } from "../output.ts";
import { erase } from "../progress.ts";
import type { Io } from "../verb.ts";

/** A line on the terminal that says how far a fleet has come. Disposing wipes it. Where nobody would see it, it does nothing. */
export class FleetProgressLine implements Disposable {
  readonly #io: Io;
  readonly #isSeen: boolean;
  #drawn = false;

  constructor(io: Io) {
    this.#io = io;
    this.#isSeen = io.stderr.isTTY && io.env["TERM"] !== "dumb";
    if (this.#isSeen) io.signal.addEventListener("abort", this.#interrupted, { once: true });
  }

  /** Shows a line, as `12 of 50 hosts planned`. */
  show(line: string): void {
    if (!this.#isSeen || this.#io.signal.aborted) return;
    this.#io.stderr.write(erase + line.slice(0, (this.#io.stderr.columns ?? 80) - 1));
    this.#drawn = true;
  }

  // Undoing takes time: without a word it would look like a hang, and be killed halfway.
  readonly #interrupted = (): void => {
    this.#io.stderr.write(
      erase + flow("qmpctl: interrupted: what is under way is undone; press again to quit now", this.#io.stderr.columns),
    );
    this.#drawn = false;
  };

  [Symbol.dispose](): void {
    this.#io.signal.removeEventListener("abort", this.#interrupted);
    if (this.#drawn) this.#io.stderr.write(erase);
    this.#drawn = false;
  }
}
