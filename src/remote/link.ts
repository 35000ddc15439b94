import { messageOf } from "../errors.ts";
import type { Message, Transport } from "../wire/transport.ts";
import { Beats } from "./beats.ts";
import { carriedIn, revive } from "./carried-error.ts";
import { LostError } from "./errors.ts";
import { writeFrame } from "./frame.ts";

/** What is called with a call: functions of the caller, which the far end calls by their names, and a signal. */
export type CallOptions = Readonly<Record<string, unknown>> & { readonly signal?: AbortSignal | undefined };

/** One call, as it is asked. */
export interface Ask {
  readonly what: string;
  /** Null for a call about the host. */
  readonly domain: string | null;
  readonly args?: readonly unknown[];
  readonly options?: CallOptions;
  /** Whether anything may be another after it: then a lost connection leaves its outcome open. */
  readonly writes?: boolean;
  /** By what its outcome can be asked for later. */
  readonly key?: string;
  /** Takes the frames of a channel. */
  readonly onChannel?: (frame: Message) => void;
}

interface Waiting {
  readonly ask: Ask;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A call that was asked, and its number. */
export interface Asked {
  readonly call: number;
  readonly answer: Promise<unknown>;
}

/** What a far end says of itself. */
export interface Greeted {
  /** Which start of the host it leads to, if the host says so. */
  readonly boot?: string | undefined;
}

/** What is known of a far end whose program is still on its way. */
export interface Start {
  /** What the program says of itself, when it does; rejects with why it does not. */
  readonly greeted?: Promise<Greeted>;
  /** The part of its program that it has not been sent, as a frame. */
  readonly more?: (() => Uint8Array) | undefined;
}

/** Calls that the first part of the program has all for. */
const FIRST: ReadonlySet<string> = new Set(["open", "list", "info", "vcpus", "config", "connect", "outcome"]);

/** The near end of one connection: any number of calls at once, each answered once. */
export class Link implements AsyncDisposable {
  readonly #far: Transport;
  readonly #waiting = new Map<number, Waiting>();
  readonly #name: string;
  readonly #over: Promise<void>;
  /** Resolves when the far end has said who it is. @throws why it can't be worked with */
  readonly greeted: Promise<Greeted>;
  #boot: string | undefined;
  #more: Start["more"];
  #calls = 0;
  /** Why no more calls are taken. */
  #ended: string | undefined;
  /** Why it never said who it is. */
  #refusal: Error | undefined;

  /** `name`: of the host, for messages. `far`: a connection whose greetings were read, or are about to be. */
  constructor(name: string, far: Transport, { greeted = Promise.resolve({}), more }: Start = {}) {
    this.#name = name;
    this.#far = far;
    this.#more = more;
    this.greeted = greeted;
    greeted.then(
      ({ boot }) => (this.#boot = boot),
      (error: Error) => (this.#refusal = error),
    );
    this.#over = this.#read();
  }

  /** Which start of the host it leads to, if the host has said so. */
  get boot(): string | undefined {
    return this.#boot;
  }

  /**
   * Asks the far end for something and resolves with its answer. If `signal` is aborted, the far end is told; what it then says counts:
   * it may have something to take back.
   *
   * @throws what the far end throws, of its own class; LostError if the connection ends before; the signal's reason, if that was the reason
   */
  call(ask: Ask): Promise<unknown> {
    return this.ask(ask).answer;
  }

  /** As `call`, with the number by which a channel is known. */
  ask(ask: Ask): Asked {
    const { what, domain, args = [], options = {}, key } = ask;
    const { signal, ...given } = options;
    if (signal?.aborted === true) return { call: 0, answer: Promise.reject(signal.reason as Error) };
    const call = ++this.#calls;
    const isFunction = ([, value]: readonly [string, unknown]): boolean => typeof value === "function";
    const all = Object.entries(given);
    const tells = all.filter(isFunction).map(([name]) => name);
    const sent = Object.fromEntries(all.filter((each) => !isFunction(each)));
    let isSent = false;
    const cancel = (): void => (isSent ? this.#send({ cancel: call }) : this.#forget(call)?.reject(signal?.reason as Error));
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#refusal ?? this.#lost(ask, this.#ended));
      this.#waiting.set(call, { ask, resolve, reject });
      signal?.addEventListener("abort", cancel, { once: true });
      if (!FIRST.has(what)) this.#sendMore();
      const send = (): void => {
        isSent = this.#waiting.has(call);
        if (isSent) this.#send({ call, what, ...(domain === null ? {} : { domain }), args, options: sent, tells, key });
      };
      // What only reads is worth no second way there and back.
      if (ask.writes === true) this.greeted.then(send, () => {});
      else send();
    });
    return { call, answer: answer.finally(() => signal?.removeEventListener("abort", cancel)) };
  }

  /** Sends a frame of a channel. */
  channel(call: number, frame: object): void {
    this.#send({ channel: call, ...frame });
  }

  #send(frame: object): void {
    if (this.#ended === undefined) this.#far.send(writeFrame(frame));
  }

  /** Sends the rest of the program, once. */
  #sendMore(): void {
    const more = this.#more;
    this.#more = undefined;
    if (more !== undefined && this.#ended === undefined) this.#far.send(more());
  }

  async #read(): Promise<void> {
    let why = "the connection ended";
    using beats = new Beats(
      (frame) => this.#send(frame),
      () => {
        why = "nothing was heard of it for too long";
        void this.#far.close();
      },
    );
    try {
      for await (const messages of this.#far) {
        beats.heard();
        for (const message of messages) await this.#take(message);
      }
    } catch (error) {
      why = messageOf(error);
    }
    this.#ended = why;
    for (const { ask, reject } of this.#waiting.values()) reject(this.#refusal ?? this.#lost(ask, why));
    this.#waiting.clear();
  }

  #lost({ what, key }: Ask, why: string): LostError {
    return new LostError(this.#name, `${why} before ${what} was answered`, key ?? null);
  }

  async #take(message: Message): Promise<void> {
    const { tell, name, args, result, value, error, failure, channel, need } = message;
    if (need === "more") return this.#sendMore();
    if (typeof channel === "number") return this.#waiting.get(channel)?.ask.onChannel?.(message);
    if (typeof tell === "number") return this.#tell(tell, name, args);
    const call = typeof result === "number" ? result : typeof error === "number" ? error : undefined;
    const waiting = this.#forget(call);
    if (waiting === undefined) return;
    if (typeof result === "number") return waiting.resolve(value);
    const { signal } = waiting.ask.options ?? {};
    const carried = carriedIn(failure);
    // The far end was interrupted because we were: the caller knows its own reason.
    const isOurs = signal?.aborted === true && carried.code === undefined;
    waiting.reject(isOurs ? (signal.reason as Error) : await revive(carried));
  }

  /** A call on which nobody waits any more from now on. */
  #forget(call: number | undefined): Waiting | undefined {
    const waiting = call === undefined ? undefined : this.#waiting.get(call);
    if (call !== undefined) this.#waiting.delete(call);
    return waiting;
  }

  #tell(call: number, name: unknown, args: unknown): void {
    const { options = {} } = this.#waiting.get(call)?.ask ?? {};
    const told = typeof name === "string" && Object.hasOwn(options, name) ? options[name] : undefined;
    if (typeof told === "function")
      (told as (...words: readonly unknown[]) => void)(...(Array.isArray(args) ? (args as readonly unknown[]) : []));
  }

  /** Closes the connection. What was asked for and is not answered goes on there, if it has begun. */
  async close(): Promise<void> {
    await this.#far.close();
    await this.#over;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
