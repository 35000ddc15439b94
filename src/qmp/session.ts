/// <reference lib="esnext.disposable" preserve="true" />
import { formatTime, messageOf, QmpctlError } from "../errors.ts";
import type { QmpEvent } from "../schema/event.ts";
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
import { eventFault, type EventFilter, type EventOptions, EventStream } from "./event-stream.ts";
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
 * @throws UsageError when the address or an option is wrong; ConnectError when the monitor can't be reached; GreetingError when no greeting
 *   comes; NegotiationError when QEMU does not enter command mode; the signal's reason as it is
 */
export async function connect(address: string | Target, options: ConnectOptions = {}): Promise<Session> {
  const at = typeof address === "string" ? parseTarget(address) : address;
  using deadline = new DeadlineSignal(options.timeout ?? DEFAULT_TIMEOUT, options.signal);
  return await greet(await dialInTurn(at, deadline, options), deadline, options);
}

/**
 * Enters command mode over a connected transport, and closes the transport if that fails.
 *
 * @throws as {@link connect}, without ConnectError
 */
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

/** A monitor in command mode, made by {@link connect} or {@link open}. A session that is not ready does not exist. */
export class Session implements AsyncDisposable {
  /** The monitor's address, as {@link parseTarget} reads it. */
  readonly address: string;
  readonly greeting: Greeting;
  /** Whether commands can be sent out of band. */
  readonly oob: boolean;
  /** Events that came before the session was ready. They are rare; reading the state now tells more. */
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
   * Runs a command. Commands are sent in order, and QEMU has at most eight at a time. Without `timeout`, 30 s or more, by the command. A
   * command that was sent can't be withdrawn.
   *
   * @throws CommandError when QEMU answers with an error; TimeoutError when no answer comes by the deadline; ClosedError when the
   *   connection ends; ProtocolError when the reply has another shape than QEMU documents; UsageError when the arguments can't be written
   *   as JSON; ArgumentError after `checkArguments`; the signal's reason as it is
   */
  execute<Name extends CommandName>(name: Name, ...rest: CallArguments<Name>): Promise<Returns<Name>>;
  execute(name: string, parameters?: object, options?: CallOptions): Promise<unknown> {
    const refusal = this.#refusal(name, parameters);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#calls.start("execute", name, parameters, options ?? NO_OPTIONS, this.execute);
  }

  /**
   * Runs a command out of band: ahead of all that wait, also while QEMU is busy with one. Only few commands may be sent like this, see
   * {@link oobCommands}; QEMU refuses the others.
   *
   * @throws as {@link execute}; QmpctlError (`refused`) when the monitor has no out-of-band commands
   */
  executeOob<Name extends CommandName>(name: Name, ...rest: CallArguments<Name>): Promise<Returns<Name>>;
  executeOob(name: string, parameters?: object, options?: CallOptions): Promise<unknown> {
    const refusal = this.#refusal(name, parameters);
    if (refusal !== undefined) return Promise.reject(refusal);
    if (!this.oob) return Promise.reject(new QmpctlError("refused", `${name}: this monitor takes no commands out of band`));
    return this.#calls.start("exec-oob", name, parameters, options ?? NO_OPTIONS, this.executeOob);
  }

  /**
   * Sends a request as it is, right or wrong, and resolves with the whole reply, error or not, unchecked. An `id` of any JSON kind is kept;
   * a request without one gets an id of ours.
   *
   * @throws as {@link execute}, but never a CommandError
   */
  exchange(request: Message, options?: CallOptions): Promise<Message> {
    if (this.#reason !== undefined) return Promise.reject(closedError("exchange", this.#reason));
    return this.#calls.startRaw(request, options ?? NO_OPTIONS, this.exchange) as Promise<Message>;
  }

  /**
   * Asks this QEMU once for its schema (20 ms). From then on, commands that this QEMU would not accept are refused with an ArgumentError,
   * which says where the fault is and what would be right; nothing of them is sent. {@link exchange} is not checked.
   *
   * @throws as {@link execute}
   */
  async checkArguments(options?: CallOptions): Promise<void> {
    const schema = await this.execute("query-qmp-schema", {}, options);
    const { argumentCheck } = await import("../schema/validate.ts");
    this.#mistake = argumentCheck(schema);
  }

  /**
   * Subscribes to events from now on; subscribe before you act. Use it with `using`, or in a `for await`. `event.event` tells the type of
   * `event.data`.
   */
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
   * The first such event from now on. Call it before the command that causes the event, and await it after. If that command fails and
   * nobody awaits this promise, its rejection is not reported as unhandled.
   *
   * @throws TimeoutError when no such event comes by the deadline; ClosedError when the session ends; ProtocolError when the event has
   *   another shape than QEMU documents; the signal's reason as it is
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
   * Ends the session: waiting calls fail, and streams end. Resolves when the connection is closed. May be called any number of times. When
   * a client leaves, QEMU drops the commands that it has not started, so await a command that matters first.
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
    const fault = message[FAULT] ?? eventFault(event);
    for (const stream of this.#streams) stream.offer(event, fault);
  }

  /** Every way out goes through here. Only the first reason counts. */
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
