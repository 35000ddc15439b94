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

/** A time in which events may have been missed. Times in milliseconds, of the host's clock. */
export interface Gap {
  readonly since: number;
  readonly until: number;
  /** The reason: the connection ended, or the events were not read fast enough (code `overflow`). */
  readonly cause: unknown;
}

/**
 * What a watcher yields.
 *
 * - `up`: connected, for the first time or again. `state` was read *after* the subscription to events; `gap` is the time before, if there
 *   was one
 * - `event`: one event
 * - `down`: the connection ended, or an attempt failed; the next attempt follows in `retryIn` milliseconds
 */
export type Sight<State, Name extends string = KnownEvent> =
  | { readonly kind: "up"; readonly session: Session; readonly state: State; readonly gap: Gap | undefined }
  | { readonly kind: "event"; readonly event: QmpEvent<Name> }
  | { readonly kind: "down"; readonly error: unknown; readonly attempt: number; readonly retryIn: number };

/** How to watch. */
export interface WatchOptions<State, Name extends EventName = KnownEvent> extends ConnectOptions, EventOptions<Name> {
  readonly events?: EventFilter<Name> | undefined;
  /** Reads the state after each gap, for what events alone can't tell. */
  readonly read?: ((session: Session) => Promise<State>) | undefined;
  /**
   * The first and the longest pause between attempts, in milliseconds: 100 and 10000 unless told. Each pause is twice as long as the one
   * before.
   */
  readonly backoff?: { readonly first?: number | undefined; readonly longest?: number | undefined } | undefined;
  /**
   * How often to ask the monitor whether it is alive, in milliseconds: 15000 unless told, Infinity for never. Without this, a QEMU that has
   * stopped looks like one that has nothing to report. It needs out-of-band commands. A monitor that is only busy counts as alive.
   */
  readonly heartbeat?: number | undefined;
}

/**
 * Watches a machine for any length of time. It connects again when the connection ends, reports where events may be missing, and reads the
 * state again there. It is one of the monitor's clients, and a monitor serves one at a time: give watchers a monitor of their own. It ends
 * when the caller leaves it (`break`, `return()`, disposal).
 *
 * @throws UsageError when the address or an option is wrong; what `read` throws; the signal's reason as it is
 */
export function watch<State = undefined, Name extends EventName = KnownEvent>(
  address: string | Target,
  options: WatchOptions<State, Name> = {},
): Watcher<State, Name> {
  return new Watcher(address, options);
}

/** What {@link watch} returns: an async iterable that closes its connection when it is left. */
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

  /** Ends it and closes the connection, also while `next()` waits. */
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
        // Random, so that a hundred watchers of one host do not all come back at the same moment.
        const retryIn = Math.round(pause * (0.5 + Math.random() / 2));
        yield { kind: "down", error, attempt, retryIn };
        await wait(retryIn, undefined, { signal }).catch(() => {});
      }
    }
    if (signal.reason !== LEFT) throw signal.reason;
    return undefined;
  }

  /** One connection up to its end; throws the reason of the end. */
  async *#follow(session: Session): AsyncGenerator<Sight<State, Name>, never, undefined> {
    const stay = onAbort(this.#stop.signal, () => void session.close());
    const heart = this.#checkHeartbeat(session);
    try {
      for (;;) {
        using stream = session.events(this.#options.events, this.#options);
        yield await this.#arrive(session);
        const end = yield* this.#relay(stream);
        if (!isErrorCode(end, "overflow")) throw heart.stopped ?? end;
        this.#lost = { since: Date.now(), cause: end };
      }
    } finally {
      clearInterval(heart.timer);
      stay();
      await session.close();
    }
  }

  /** Closes the session when its monitor no longer answers. */
  #checkHeartbeat(session: Session): Heartbeat {
    const { heartbeat = 15_000 } = this.#options;
    if (!(heartbeat > 0))
      throw new UsageError(`watch: a heartbeat of ${heartbeat}`, { value: heartbeat, expected: "milliseconds above 0, or Infinity" });
    const heart: Heartbeat = { timer: undefined, stopped: undefined };
    const check = async (): Promise<void> => {
      if ((await probe(session, { timeout: Math.min(heartbeat, LONGEST_SILENCE) })) !== "dead") return;
      heart.stopped = new TimeoutError("watch", heartbeat, "wedged");
      await session.close();
    };
    // If the session ends meanwhile, its stream reports that.
    if (heartbeat < 2 ** 31 && session.oob) heart.timer = setInterval(() => void check().catch(() => {}), heartbeat);
    return heart;
  }

  async #arrive(session: Session): Promise<Sight<State, Name>> {
    const state = (await this.#options.read?.(session)) as State;
    const gap = this.#lost === undefined ? undefined : { ...this.#lost, until: Date.now() };
    this.#lost = undefined;
    return { kind: "up", session, state, gap };
  }

  /** Yields the stream's events, and returns why it ended. */
  async *#relay(stream: EventStream<Name>): AsyncGenerator<Sight<State, Name>, unknown, undefined> {
    try {
      for await (const event of stream) yield { kind: "event", event };
    } catch (end) {
      return end;
    }
    return new QmpctlError("closed", "watch: the session was closed");
  }
}

/** How long a monitor may take to answer out of band, in milliseconds. */
const LONGEST_SILENCE = 5000;

interface Heartbeat {
  timer: ReturnType<typeof setInterval> | undefined;
  stopped: TimeoutError | undefined;
}

const LEFT = Symbol("left");
