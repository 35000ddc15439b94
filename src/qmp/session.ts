/// <reference lib="esnext.disposable" preserve="true" />
import { formatTime, messageOf, QmpctlError } from "../errors.ts";
import type { QmpEvent } from "../schema/event.ts";
import { eventCheck } from "../schema/events.ts";
import type { Greeting } from "../schema/message.ts";
import type { CommandName, EventName } from "../schema/vocabulary.ts";
import { parseTarget, type Target } from "../wire/address.ts";
import { ProtocolError } from "../wire/errors.ts";
import { showJson } from "../wire/json.ts";
import { FAULT, type Message, type Transport } from "../wire/transport.ts";
import type { CallHooks } from "./call-hooks.ts";
import type { CallOptions } from "./call.ts";
import { closedError, type CloseReason, failureOf, whyClosed } from "./close-reason.ts";
import { windowOf } from "./command-window.ts";
import type { ConnectOptions, OpenOptions } from "./connect-options.ts";
import { DeadlineSignal } from "./deadline-signal.ts";
import { dialInTurn } from "./dial.ts";
import { ClosedError, NegotiationError } from "./errors.ts";
import { type EventFilter, type EventOptions, EventStream } from "./event-stream.ts";
import { handshake, type Opened } from "./handshake.ts";
import { PendingCalls } from "./pending.ts";
import type { CallArguments, Returns } from "./typing.ts";
import { firstOf } from "./wait-for.ts";

export type { CallOptions, LateReply, SlowNotice } from "./call.ts";
export type { CloseReason } from "./close-reason.ts";
export type { EventFilter, EventOptions } from "./event-stream.ts";
export type { CallHooks } from "./call-hooks.ts";
export type { ConnectOptions, OpenOptions } from "./connect-options.ts";
export type { CallArguments, Returns } from "./typing.ts";

/**
 * Connects to a monitor and enters command mode.
 *
 * @throws UsageError (no address, no option), ConnectError, GreetingError, NegotiationError; the signal's reason as it is
 */
export async function connect(address: string | Target, options: ConnectOptions = {}): Promise<Session> {
  const at = typeof address === "string" ? parseTarget(address) : address;
  using deadline = new DeadlineSignal(options.timeout ?? DEFAULT_TIMEOUT, options.signal);
  return await greet(await dialInTurn(at, deadline, options), deadline, options);
}

/** Enters command mode over a transport that is connected. Closes it when that fails. Errors as for {@link connect}. */
export async function open(transport: Transport, options: OpenOptions = {}): Promise<Session> {
  using deadline = new DeadlineSignal(options.timeout ?? DEFAULT_TIMEOUT, options.signal);
  return await greet(transport, deadline, options);
}

const DEFAULT_TIMEOUT = 5000;
const NO_OPTIONS: CallOptions = {};

async function greet(transport: Transport, deadline: DeadlineSignal, options: OpenOptions): Promise<Session> {
  try {
    const session = new Session(transport, await handshake(transport, deadline), options);
    if (options.checkArguments === true) {
      const late = (): Error => new NegotiationError(transport.peer, `no schema within ${formatTime(deadline.timeout)}`);
      await deadline.race(session.checkArguments({ signal: deadline.signal, timeout: Infinity }), late);
    }
    return session;
  } catch (cause) {
    void transport.close();
    throw cause;
  }
}

/** A monitor in command mode: there is no session that is not ready. Made by {@link connect} and {@link open}. */
export class Session implements AsyncDisposable {
  /** The monitor's address, as {@link parseTarget} reads it. */
  readonly address: string;
  readonly greeting: Greeting;
  /** Whether commands can be sent out of band. */
  readonly oob: boolean;
  /** Events that came before the session was ready. Rare; state that is read now has more to say. */
  readonly early: readonly QmpEvent[];
  /** Resolves when the session has ended, with the reason. Never rejects. */
  readonly closed: Promise<CloseReason>;
  readonly #transport: Transport;
  readonly #calls: PendingCalls;
  readonly #streams = new Set<{ offer(event: QmpEvent, fault?: unknown): void; end(failure?: unknown): void }>();
  #reason: CloseReason | undefined;
  #mistake: ((command: string, parameters: object | undefined) => Error | undefined) | undefined;
  #tellClosed: (reason: CloseReason) => void = () => {};

  constructor(transport: Transport, opened: Opened, hooks: CallHooks) {
    this.address = transport.peer;
    this.greeting = opened.greeting;
    this.oob = opened.oob;
    this.early = opened.early;
    this.closed = new Promise((resolve) => (this.#tellClosed = resolve));
    this.#transport = transport;
    const window = windowOf(opened.greeting.version.qemu.major);
    this.#calls = new PendingCalls((text) => transport.send(text), { oob: opened.oob, window }, hooks);
    void this.#listen(opened);
  }

  /**
   * Runs a command. In order with the others, at most eight before QEMU at a time; without `timeout`, 30 s.
   *
   * @throws CommandError (QEMU said no), TimeoutError, ClosedError, ProtocolError (a reply of another shape),
   *   UsageError (arguments that JSON has not); the signal's reason as it is. A command that was sent can't be taken back.
   */
  execute<Name extends CommandName>(name: Name, ...rest: CallArguments<Name>): Promise<Returns<Name>>;
  execute(name: string, parameters?: object, options?: CallOptions): Promise<unknown> {
    const refusal = this.#refusal(name, parameters);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#calls.start("execute", name, parameters, options ?? NO_OPTIONS, this.execute);
  }

  /**
   * Runs a command out of band: before all that wait, also while QEMU is busy with one. Few commands may be sent so, see
   * {@link oobCommands}; QEMU refuses the others. Errors as for {@link execute}, and `refused` where the monitor has no such thing.
   */
  executeOob<Name extends CommandName>(name: Name, ...rest: CallArguments<Name>): Promise<Returns<Name>>;
  executeOob(name: string, parameters?: object, options?: CallOptions): Promise<unknown> {
    const refusal = this.#refusal(name, parameters);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (!this.oob) return Promise.reject(new QmpctlError("refused", `${name}: this monitor takes no commands out of band`));
    return this.#calls.start("exec-oob", name, parameters, options ?? NO_OPTIONS, this.executeOob);
  }

  /**
   * Sends a request as it stands, right or wrong, and gives the whole reply, error or not, unchecked. An `id` of any JSON kind is
   * kept; without one it gets one of ours, to be found by. Errors as for {@link execute}, but never a CommandError.
   */
  exchange(request: Message, options?: CallOptions): Promise<Message> {
    if (this.#reason !== undefined) return Promise.reject(closedError("exchange", this.#reason));
    return this.#calls.startRaw(request, options ?? NO_OPTIONS, this.exchange) as Promise<Message>;
  }

  /**
   * Asks this QEMU what its commands take (20 ms, once); from then on, what it would not take is refused with an ArgumentError that
   * says where and what would be right, and nothing of it is sent. Not for {@link exchange}.
   */
  async checkArguments(options?: CallOptions): Promise<void> {
    const schema = await this.execute("query-qmp-schema", {}, options);
    const { argumentCheck } = await import("../schema/validate.ts");
    this.#mistake = argumentCheck(schema);
  }

  /** Subscribes from now on: subscribe, then act. Use it with `using`, or in a `for await`; `event.event` tells what `event.data` is. */
  events<Name extends EventName>(filter: Name | readonly Name[], options?: EventOptions<Name>): EventStream<Name>;
  events(filter?: ((event: QmpEvent) => boolean) | undefined, options?: EventOptions): EventStream;
  events<Name extends EventName>(filter?: EventFilter<Name> | undefined, options?: EventOptions<Name>): EventStream<Name>;
  events<Name extends EventName>(filter?: EventFilter<Name>, options: EventOptions<Name> = {}): EventStream<Name> {
    const stream: EventStream<Name> = new EventStream<Name>(filter, options, () => void this.#streams.delete(stream));
    if (this.#reason === undefined) this.#streams.add(stream);
    else stream.end(failureOf(this.#reason));
    return stream;
  }

  /**
   * The first such event from now on: call it before the command that causes the event, and await it after. A rejection
   * that nobody gets to hear, as when that command fails, is no unhandled one.
   *
   * @throws TimeoutError, ClosedError, ProtocolError; the signal's reason as it is
   */
  waitFor<Name extends EventName>(filter: Name | readonly Name[], options?: EventOptions<Name> & CallOptions): Promise<QmpEvent<Name>>;
  waitFor(filter: (event: QmpEvent) => boolean, options?: EventOptions & CallOptions): Promise<QmpEvent>;
  waitFor<Name extends EventName>(filter: EventFilter<Name>, options: EventOptions<Name> & CallOptions = {}): Promise<QmpEvent<Name>> {
    const what = typeof filter === "function" ? "event" : [filter].flat().join(" or ");
    const first = firstOf(this.events(filter, options), options, what);
    first.catch(() => {});
    return first;
  }

  /**
   * Ends the session: calls that wait fail, streams end. Settles when the connection is gone. Any number of calls. QEMU drops what it
   * has not begun when its client leaves, so a command that matters is awaited first.
   */
  async close(): Promise<void> {
    this.#finish({ by: "us" });
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(opened: Opened): Promise<void> {
    try {
      this.#dispatchAll(opened.rest);
      for (;;) {
        const turn = await opened.messages.next();
        if (turn.done === true) break;
        this.#calls.heard();
        this.#dispatchAll(turn.value);
      }
      this.#finish({ by: "peer", error: new ClosedError(this.address, "the peer closed the connection", { sent: false }) });
    } catch (cause) {
      const error =
        cause instanceof ProtocolError
          ? cause
          : new ClosedError(this.address, `the connection broke: ${messageOf(cause)}`, { sent: false, cause });
      this.#finish({ by: "peer", error });
    }
  }

  #dispatchAll(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message["event"] !== undefined) this.#announce(message);
      else if (message["return"] !== undefined || message["error"] !== undefined) this.#calls.answer(message);
      else throw message[FAULT] ?? new ProtocolError(this.address, "neither a reply nor an event", { excerpt: showJson(message) });
    }
  }

  #announce(message: Message): void {
    if (this.#streams.size === 0) return;
    const event = message as unknown as QmpEvent;
    const fault = message[FAULT] ?? misshapen(event);
    for (const stream of this.#streams) stream.offer(event, fault);
  }

  /** The one way out. The first reason counts. */
  #finish(reason: CloseReason): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    const failure = failureOf(reason);
    this.#calls.fail(whyClosed(reason), failure);
    for (const stream of this.#streams) stream.end(failure);
    this.#streams.clear();
    void this.#transport.close();
    this.#tellClosed(reason);
  }

  #refusal(name: string, parameters: object | undefined): Error | undefined {
    return this.#reason === undefined ? this.#mistake?.(name, parameters) : closedError(name, this.#reason);
  }
}

function misshapen(event: QmpEvent): ProtocolError | undefined {
  const wrong = eventCheck(event.event)?.(event.data);
  if (wrong === undefined) return undefined;
  return new ProtocolError(event.event, `data that is not as QEMU documents it: ${wrong.why}`, {
    excerpt: showJson(event),
    cause: wrong.cause,
  });
}
