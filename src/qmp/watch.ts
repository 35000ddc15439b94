/// <reference lib="esnext.disposable" preserve="true" />
import { setTimeout as wait } from "node:timers/promises";
import { isErrorCode, QmpctlError, UsageError } from "../errors.ts";
import type { QmpEvent } from "../schema/event.ts";
import type { EventName, KnownEvent } from "../schema/vocabulary.ts";
import { onAbort } from "../wire/abort.ts";
import type { Target } from "../wire/address.ts";
import { TimeoutError } from "./errors.ts";
import type { EventFilter, EventStream } from "./event-stream.ts";
import { probe } from "./oob.ts";
import { connect, type ConnectOptions, type EventOptions, type Session } from "./session.ts";

/** A time without events: there may have been some. Times in milliseconds, of the host's clock. */
export interface Gap {
  readonly since: number;
  readonly until: number;
  /** Why: the connection ended, or we were too slow (code `overflow`). */
  readonly cause: unknown;
}

/**
 * What a watcher sees.
 *
 * - `up`: connected, at first or again, and the state as it was read *after* the events began to be kept; with the gap before, if any
 * - `event`: one event
 * - `down`: the connection ended, or an attempt failed; the next is made in `retryIn` milliseconds
 */
export type Sight<State, Name extends string = KnownEvent> =
  | { readonly kind: "up"; readonly session: Session; readonly state: State; readonly gap: Gap | undefined }
  | { readonly kind: "event"; readonly event: QmpEvent<Name> }
  | { readonly kind: "down"; readonly error: unknown; readonly attempt: number; readonly retryIn: number };

/** How to watch. */
export interface WatchOptions<State, Name extends EventName = KnownEvent> extends ConnectOptions, EventOptions<Name> {
  readonly events?: EventFilter<Name> | undefined;
  /** Reads what events alone can't tell, after each gap. */
  readonly read?: ((session: Session) => Promise<State>) | undefined;
  /** The first and the longest pause between attempts, in milliseconds: 100 and 10000 unless told; each is twice the one before. */
  readonly backoff?: { readonly first?: number | undefined; readonly longest?: number | undefined } | undefined;
  /**
   * How often the monitor is asked whether it is alive, in milliseconds: 15000 unless told, Infinity for never. A machine that stands
   * still says nothing, and so does one that has nothing to say. Needs out-of-band commands; one that is only busy is not taken for dead.
   */
  readonly heartbeat?: number | undefined;
}

/**
 * Watches a machine for as long as one likes: connects again whenever the connection ends, says where events may be missing, and
 * reads the state anew there. One client of the monitor: give watchers a monitor of their own.
 * Ends when it is left (`break`, `return()`, disposal); throws the signal's reason as it is, and what is our own mistake (code `usage`).
 */
export function watch<State = undefined, Name extends EventName = KnownEvent>(
  address: string | Target,
  options: WatchOptions<State, Name> = {},
): Watcher<State, Name> {
  return new Watcher(address, options);
}

/** What {@link watch} gives: an async iterable that lets go of its connection when it is left. */
export class Watcher<State, Name extends string = KnownEvent> implements AsyncIterableIterator<Sight<State, Name>>, AsyncDisposable {
  readonly #address: string | Target;
  readonly #options: WatchOptions<State, Name>;
  readonly #stop = new AbortController();
  readonly #sights: AsyncGenerator<Sight<State, Name>, undefined, undefined>;
  #forget: () => void = () => {};
  #lost: { readonly since: number; readonly cause: unknown } | undefined;

  constructor(address: string | Target, options: WatchOptions<State, Name>) {
    this.#address = address;
    this.#options = options;
    const { signal } = options;
    if (signal?.aborted === true) this.#stop.abort(signal.reason);
    if (signal !== undefined) this.#forget = onAbort(signal, () => this.#stop.abort(signal.reason));
    this.#sights = this.#watch();
  }

  next(): Promise<IteratorResult<Sight<State, Name>, undefined>> {
    return this.#sights.next();
  }

  /** Ends it and lets go of the connection, also while `next()` waits. */
  async return(): Promise<IteratorResult<Sight<State, Name>, undefined>> {
    this.#stop.abort(LEFT);
    await this.#sights.return(undefined).catch(() => {});
    return { value: undefined, done: true };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#watch(): AsyncGenerator<Sight<State, Name>, undefined, undefined> {
    try {
      return yield* this.#attempts();
    } finally {
      this.#forget();
    }
  }

  async *#attempts(): AsyncGenerator<Sight<State, Name>, undefined, undefined> {
    const { signal } = this.#stop;
    const { first = 100, longest = 10_000 } = this.#options.backoff ?? {};
    if (!(first > 0 && longest >= first))
      throw new UsageError(`watch: a backoff from ${first} to ${longest}`, {
        value: this.#options.backoff,
        expected: "milliseconds above 0, the longest not below the first",
      });
    let attempt = 0;
    while (!signal.aborted) {
      try {
        const session = await connect(this.#address, { ...this.#options, signal });
        attempt = 0;
        yield* this.#follow(session);
      } catch (error) {
        if (signal.aborted) break;
        if (isErrorCode(error, "usage") || !(error instanceof QmpctlError)) throw error;
        this.#lost ??= { since: Date.now(), cause: error };
        const pause = Math.min(longest, first * 2 ** attempt++);
        // Spread, so that a hundred watchers of one host do not come back in the same moment.
        const retryIn = Math.round(pause * (0.5 + Math.random() / 2));
        yield { kind: "down", error, attempt, retryIn };
        await wait(retryIn, undefined, { signal }).catch(() => {});
      }
    }
    if (signal.reason !== LEFT) throw signal.reason;
    return undefined;
  }

  /** One connection, to its end: throws why it ended. */
  async *#follow(session: Session): AsyncGenerator<Sight<State, Name>, never, undefined> {
    const stay = onAbort(this.#stop.signal, () => void session.close());
    const pulse = this.#feel(session);
    try {
      for (;;) {
        using stream = session.events(this.#options.events, this.#options);
        yield await this.#arrive(session);
        const end = yield* this.#relay(stream);
        if (!isErrorCode(end, "overflow")) throw pulse.stopped ?? end;
        this.#lost = { since: Date.now(), cause: end };
      }
    } finally {
      clearInterval(pulse.timer);
      stay();
      await session.close();
    }
  }

  /** Closes a session whose monitor has died without a word. */
  #feel(session: Session): Pulse {
    const { heartbeat = 15_000 } = this.#options;
    if (!(heartbeat > 0))
      throw new UsageError(`watch: a heartbeat of ${heartbeat}`, { value: heartbeat, expected: "milliseconds above 0, or Infinity" });
    const pulse: Pulse = { timer: undefined, stopped: undefined };
    const beat = async (): Promise<void> => {
      if ((await probe(session, { timeout: Math.min(heartbeat, LONGEST_SILENCE) })) !== "dead") return;
      pulse.stopped = new TimeoutError("watch", heartbeat, "wedged");
      await session.close();
    };
    // A session that ends meanwhile tells it itself.
    if (heartbeat < 2 ** 31 && session.oob) pulse.timer = setInterval(() => void beat().catch(() => {}), heartbeat);
    return pulse;
  }

  async #arrive(session: Session): Promise<Sight<State, Name>> {
    const state = (await this.#options.read?.(session)) as State;
    const gap = this.#lost === undefined ? undefined : { ...this.#lost, until: Date.now() };
    this.#lost = undefined;
    return { kind: "up", session, state, gap };
  }

  /** The stream's events, and then why it ended. */
  async *#relay(stream: EventStream<Name>): AsyncGenerator<Sight<State, Name>, unknown, undefined> {
    try {
      for await (const event of stream) yield { kind: "event", event };
    } catch (end) {
      return end;
    }
    return new QmpctlError("closed", "watch: the session was closed");
  }
}

/** How long a monitor may be silent when it is asked out of band, in milliseconds. */
const LONGEST_SILENCE = 5000;

interface Pulse {
  timer: ReturnType<typeof setInterval> | undefined;
  stopped: TimeoutError | undefined;
}

const LEFT = Symbol("left");
