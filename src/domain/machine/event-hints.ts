import type { Session } from "../../qmp/session.ts";
import type { Monitor } from "./monitor.ts";
import type { Hint, Hints } from "./poll-until.ts";

/**
 * QEMU's events as hints to look again, on whatever connection the monitor has at the time. Each event is passed on to `onEvent` first.
 * A broken connection is a hint too: the next look finds out what it means.
 */
export function eventsOf(monitor: Pick<Monitor, "session">, names: readonly string[], onEvent?: (event: Hint) => void): Hints {
  return new EventHints(monitor, names, onEvent);
}

class EventHints implements Hints {
  readonly #monitor: Pick<Monitor, "session">;
  readonly #names: readonly string[];
  readonly #onEvent: ((event: Hint) => void) | undefined;
  #session: Session | undefined;
  #stream: Disposable | undefined;

  constructor(monitor: Pick<Monitor, "session">, names: readonly string[], onEvent: ((event: Hint) => void) | undefined) {
    this.#monitor = monitor;
    this.#names = names;
    this.#onEvent = onEvent;
  }

  listen(hear: () => void): void {
    if (this.#session === this.#monitor.session) return;
    this[Symbol.dispose]();
    this.#session = this.#monitor.session;
    const stream = this.#session.events([...this.#names]);
    this.#stream = stream;
    void this.#follow(stream, hear);
  }

  async #follow(stream: AsyncIterable<Hint>, hear: () => void): Promise<void> {
    try {
      for await (const event of stream) {
        this.#onEvent?.(event);
        hear();
      }
    } catch {
      hear();
    }
  }

  [Symbol.dispose](): void {
    this.#stream?.[Symbol.dispose]();
    this.#stream = undefined;
  }
}
