/// <reference lib="esnext.disposable" preserve="true" />
import { UsageError } from "../errors.ts";
import type { QmpEvent } from "../schema/event.ts";
import { eventCheck } from "../schema/events.ts";
import type { EventName, KnownEvent } from "../schema/vocabulary.ts";
import { ProtocolError } from "../wire/errors.ts";
import { showJson } from "../wire/json.ts";
import { OverflowError } from "./errors.ts";

/** Which events are wanted: one name, several names, or a function that returns true for them. Without a filter, all. */
export type EventFilter<Name extends EventName = KnownEvent> = Name | readonly Name[] | ((event: QmpEvent) => boolean);

/** How a stream selects events, and how many it holds. */
export interface EventOptions<Name extends EventName = KnownEvent> {
  /** The most events that may wait to be read; 10000 unless told. */
  readonly bound?: number | undefined;
  /** Selects among the events that the filter lets through. */
  readonly where?: ((event: QmpEvent<Name>) => boolean) | undefined;
}

type Item<Name extends string> = IteratorResult<QmpEvent<Name>, undefined>;

/**
 * One subscriber's events, from the moment of subscribing. It holds events that are not read yet, up to its bound. With one more it ends:
 * what it holds can still be read, and then it throws an OverflowError. When the connection ends, it throws the reason; when the session is
 * closed here, it ends without an error.
 */
export class EventStream<Name extends string = KnownEvent> implements AsyncIterableIterator<QmpEvent<Name>>, Disposable {
  readonly #wants: (event: QmpEvent) => boolean;
  readonly #bound: number;
  readonly #leave: () => void;
  #queue: QmpEvent<Name>[] = [];
  /** How many of the queue have been read. Shifting a long array would cost time in proportion to its length. */
  #read = 0;
  #waiting: { resolve(item: Item<Name>): void; reject(cause: unknown): void }[] = [];
  #ended = false;
  #failure: unknown;

  constructor(filter: EventFilter<Name> | undefined, options: EventOptions<Name>, leave: () => void) {
    this.#wants = toPredicate(filter, options.where as ((event: QmpEvent) => boolean) | undefined);
    this.#bound = options.bound ?? 10_000;
    this.#leave = leave;
    if (!(this.#bound >= 1))
      throw new UsageError(`event stream: a bound of ${this.#bound}`, { value: this.#bound, expected: "at least 1" });
  }

  /** Hands in an event; called by the session. An event with a `fault` ends the stream if the stream wants it. */
  offer(event: QmpEvent, fault?: unknown): void {
    if (this.#ended) return;
    try {
      if (!this.#wants(event)) return;
      if (fault !== undefined) throw fault;
    } catch (mistake) {
      // This may also be an error that the subscriber's own filter throws. It ends this stream only.
      this.#leave();
      this.end(mistake);
      return;
    }
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.resolve({ value: event as QmpEvent<Name>, done: false });
    else if (this.#queue.length - this.#read < this.#bound) this.#queue.push(event as QmpEvent<Name>);
    else {
      this.#leave();
      this.end(new OverflowError(this.#bound));
    }
  }

  /** Ends it after what is queued, with an error or without. Only the first end counts. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const reader of waiting) this.next().then(reader.resolve, reader.reject);
  }

  next(): Promise<Item<Name>> {
    if (this.#read < this.#queue.length) return Promise.resolve({ value: this.#take(), done: false });
    if (!this.#ended) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const failure = this.#failure;
    this.#failure = undefined;
    return failure === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(failure);
  }

  /** Leaves the stream: it takes no more events, and drops those that are queued. `break` in a `for await` does the same. */
  return(): Promise<Item<Name>> {
    this.#leave();
    this.#queue = [];
    this.#read = 0;
    this.#failure = undefined;
    this.end();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.dispose](): void {
    void this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): QmpEvent<Name> {
    const event = this.#queue[this.#read++] as QmpEvent<Name>;
    if (this.#read === this.#queue.length || (this.#read > 1024 && this.#read * 2 > this.#queue.length)) {
      this.#queue = this.#queue.slice(this.#read);
      this.#read = 0;
    }
    return event;
  }
}

function toPredicate<Name extends string>(
  filter: EventFilter<Name> | undefined,
  where: (event: QmpEvent) => boolean = () => true,
): (event: QmpEvent) => boolean {
  if (filter === undefined) return where;
  if (typeof filter === "function") return (event) => filter(event) && where(event);
  const names: ReadonlySet<string> = new Set(typeof filter === "string" ? [filter] : filter);
  return (event) => names.has(event.event) && where(event);
}

/** What is wrong with an event's data, by QEMU's documentation; undefined if nothing. */
export function eventFault(event: QmpEvent): ProtocolError | undefined {
  const wrong = eventCheck(event.event)?.(event.data);
  if (wrong === undefined) return undefined;
  return new ProtocolError(event.event, `data that is not as QEMU documents it: ${wrong.why}`, {
    excerpt: showJson(event),
    cause: wrong.cause,
  });
}
