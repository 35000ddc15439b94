import type { Deadline } from "../../deadline.ts";
import type { Session } from "../../qmp/session.ts";
import type { Monitor } from "./monitor.ts";

/** Something that the guest does in its own time, as its state shows it. */
export interface Awaited<T> {
  /** Events that are a reason to look again. They are only a hint: some never come (a vCPU's DEVICE_DELETED under TCG). */
  readonly hints: readonly string[];
  readonly look: (session: Session) => Promise<T>;
  readonly done: (seen: T) => boolean;
  readonly onLook?: (seen: T) => void;
  readonly onEvent?: (event: Hint) => void;
}

/** An event, as far as waiting reads it. */
export interface Hint {
  readonly event: string;
  readonly data?: unknown;
}

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 200;

/** Looks until it is done or the deadline passes; always looks at least once. Abort rejects with the signal's reason. */
export async function settle<T>(
  monitor: Monitor,
  awaited: Awaited<T>,
  deadline: Deadline,
  signal?: AbortSignal,
): Promise<{ readonly seen: T; readonly done: boolean }> {
  using ears = new Ears(monitor, awaited);
  for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
    signal?.throwIfAborted();
    ears.listen();
    const seen = await monitor.ask(awaited.look, { by: deadline, signal });
    awaited.onLook?.(seen);
    if (awaited.done(seen)) return { seen, done: true };
    if (deadline.left() === 0) return { seen, done: false };
    await ears.hearWithin(Math.min(pause, deadline.left()), signal);
  }
}

/** Listens for hints on whatever connection the monitor has now. */
class Ears implements Disposable {
  readonly #monitor: Monitor;
  readonly #awaited: Awaited<unknown>;
  #session: Session | undefined;
  #stream: Disposable | undefined;
  #heard = false;
  #wake: (() => void) | undefined;

  constructor(monitor: Monitor, awaited: Pick<Awaited<never>, "hints" | "onEvent">) {
    this.#monitor = monitor;
    this.#awaited = awaited as Awaited<unknown>;
  }

  listen(): void {
    if (this.#session === this.#monitor.session) return;
    this[Symbol.dispose]();
    this.#session = this.#monitor.session;
    const stream = this.#session.events([...this.#awaited.hints]);
    this.#stream = stream;
    void this.#follow(stream);
  }

  async #follow(stream: AsyncIterable<Hint>): Promise<void> {
    try {
      for await (const event of stream) {
        this.#awaited.onEvent?.(event);
        this.#nudge();
      }
    } catch {
      // The connection broke. The next look finds out what that means.
      this.#nudge();
    }
  }

  #nudge(): void {
    this.#heard = true;
    this.#wake?.();
  }

  async hearWithin(pause: number, signal: AbortSignal | undefined): Promise<void> {
    if (!this.#heard) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
        signal?.addEventListener("abort", this.#wake, { once: true });
      });
      if (this.#wake !== undefined) signal?.removeEventListener("abort", this.#wake);
    }
    this.#heard = false;
    this.#wake = undefined;
  }

  [Symbol.dispose](): void {
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
  }
}
