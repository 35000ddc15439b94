/// <reference lib="esnext.disposable" preserve="true" />
import { formatTime, messageOf } from "../errors.ts";
import type { AgentArguments, AgentCommands, AgentReturns } from "../schema/agent-commands.ts";
import { formatAddress, parseTarget, type Target } from "../wire/address.ts";
import { ConnectError, ProtocolError } from "../wire/errors.ts";
import { Framer, type FramingOptions } from "../wire/framing.ts";
import { showJson, writeJson } from "../wire/json.ts";
import type { Message, Transport } from "../wire/transport.ts";
import type { CallOptions } from "./call.ts";
import { DeadlineSignal } from "./deadline-signal.ts";
import { dialWithin } from "./dial.ts";
import { ClosedError, CommandError, GreetingError, TimeoutError } from "./errors.ts";

/**
 * A byte that no JSON contains. The agent writes it before its answer to `guest-sync-delimited`. When the agent reads it, it drops the
 * message that it was reading.
 */
const DELIMITER = 0xff;

/** Commands that send nothing when they succeed: QEMU's qga/qapi-schema.json, `success-response: false`. */
const SILENT: ReadonlySet<string> = new Set(["guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"]);

/** How long such a command has to report an error, in milliseconds. */
const SILENCE = 1000;

/** What follows a command's name: its arguments, which may be left out if none is needed, and the options of the call. */
type AgentCall<Name extends string> =
  Readonly<Record<string, never>> extends AgentArguments<Name>
    ? [parameters?: AgentArguments<Name> | undefined, options?: CallOptions]
    : [parameters: AgentArguments<Name>, options?: CallOptions];

/** How to reach a guest agent. */
export interface AgentOptions extends FramingOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

/**
 * Connects to a guest agent, at the host's end of its channel, and finds out whether an agent answers in the guest. `timeout`, in
 * milliseconds, is for all of this: 5000 unless told.
 *
 * @throws UsageError when the address can't be read; ConnectError when the channel can't be reached; GreetingError when no agent answers;
 *   the signal's reason as it is
 */
export async function connectAgent(address: string | Target, options: AgentOptions = {}): Promise<GuestAgent> {
  const at = typeof address === "string" ? parseTarget(address) : address;
  const peer = formatAddress(at);
  using deadline = new DeadlineSignal(options.timeout ?? 5000, options.signal);
  const time = formatTime(deadline.timeout);
  const late = (): Error => new ConnectError(peer, `not connected within ${time}`);
  const agent = new GuestAgent(await dialWithin(at, deadline, new Framer(peer, options, DELIMITER), late));
  try {
    const nobody = `the guest agent does not answer within ${time}: it may not run in the guest, or the guest is stuck`;
    await agent.synchronise(
      deadline,
      () => new GreetingError(peer, nobody),
      (why, cause) => new GreetingError(peer, why, { cause }),
    );
    return agent;
  } catch (cause) {
    void agent.close();
    throw cause;
  }
}

/**
 * A guest agent. It has no greeting, no capabilities and no events, it runs one command at a time, and only new versions say which command
 * an answer belongs to. So each command is sent after a `guest-sync-delimited`: whatever comes before the answer to that is older than the
 * command, and is dropped. So is whatever comes between two commands.
 */
export class GuestAgent implements AsyncDisposable {
  /** The channel's address, as {@link parseTarget} reads it. */
  readonly address: string;
  readonly #transport: Transport;
  /** What has arrived since the running command was sent; undefined while no command runs. */
  #heard: Message[] | undefined;
  #wake: () => void = () => {};
  /** Why nothing arrives any more. */
  #end: { readonly why: string; readonly cause?: unknown } | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #synchronised = false;
  /** Whether the agent returns the ids of requests. */
  #echoes = false;
  #closed = false;

  constructor(transport: Transport) {
    this.address = transport.peer;
    this.#transport = transport;
    void this.#listen();
  }

  /**
   * Runs a command in the guest, after those that were called before; without `timeout`, 30 s. Commands that send nothing when they succeed
   * (`guest-shutdown`, `guest-suspend-*`) resolve with undefined when no error has come for a second.
   *
   * @throws CommandError when the agent refuses; TimeoutError at the deadline (`queued`: it was not sent); ClosedError when the channel
   *   ends; ProtocolError when the answer can't be told from another; UsageError when the arguments can't be written as JSON; the signal's
   *   reason as it is
   */
  execute<Name extends keyof AgentCommands | (string & {})>(command: Name, ...rest: AgentCall<Name>): Promise<AgentReturns<Name>>;
  async execute(command: string, parameters?: object, options: CallOptions = {}): Promise<unknown> {
    const { timeout = 30_000, signal } = options;
    const text = writeJson({ execute: command, arguments: parameters }, command);
    using deadline = new DeadlineSignal(timeout, signal);
    const before = this.#turn;
    let finish = (): void => {};
    this.#turn = Promise.all([before, new Promise<void>((resolve) => (finish = resolve))]);
    try {
      const unsent = (): Error => new TimeoutError(command, timeout, "queued");
      await deadline.race(before, unsent);
      await this.synchronise(deadline, unsent, (why, cause) => new ClosedError(command, why, { sent: false, cause }));
      return await this.#run(command, text, deadline);
    } finally {
      finish();
    }
  }

  /**
   * Finds out whether the agent answers, and whether it returns ids; drops what is left of earlier commands. Used by {@link connectAgent},
   * and by `execute` after a command that was given up.
   *
   * @throws what `late` returns at the deadline; what `complain` returns when the channel ends; the signal's reason as it is
   */
  async synchronise(deadline: DeadlineSignal, late: () => Error, complain: Complaint): Promise<void> {
    if (this.#synchronised) return;
    const [first, second] = [newNumber(), newNumber()];
    this.#heard = [];
    this.#transport.send(Uint8Array.of(DELIMITER));
    // Old agents refuse a request with an id. The one without an id is sent first, so that the refusal can be told apart.
    this.#transport.send(`${syncText(first)}}\n${syncText(second)},"id":${second}}\n`);
    try {
      for (let known = false; !this.#synchronised;) {
        const message = await this.#next(deadline, late, complain);
        known ||= message["return"] === first;
        this.#echoes = message["return"] === second && message["id"] === second;
        this.#synchronised = message["return"] === second || (known && "error" in message);
      }
    } finally {
      this.#heard = undefined;
    }
  }

  /** Closes the channel. A running command goes on in the guest. May be called any number of times. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#finish({ why: "the channel was closed here" });
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(command: string, text: string, deadline: DeadlineSignal): Promise<unknown> {
    const number = newNumber();
    this.#synchronised = false;
    this.#heard = [];
    this.#transport.send(`${syncText(number)}}\n${this.#echoes ? `${text.slice(0, -1)},"id":${number}}` : text}\n`);
    const late = (): Error => new TimeoutError(command, deadline.timeout, "unanswered");
    const complain: Complaint = (why, cause) => new ClosedError(command, why, { sent: true, cause });
    const silent = SILENT.has(command);
    let wait: DeadlineSignal | undefined;
    try {
      while ((await this.#next(deadline, late, complain))["return"] !== number);
      wait = silent ? new DeadlineSignal(SILENCE, deadline.signal) : deadline;
      const reply = await this.#answer(command, number, wait, late, complain);
      this.#synchronised = true;
      return outcome(command, reply);
    } catch (error) {
      const ended = error instanceof ClosedError || (error instanceof TimeoutError && wait !== undefined);
      if (silent && ended && !deadline.signal.aborted && !this.#closed) return undefined;
      throw error;
    } finally {
      this.#heard = undefined;
      if (silent) wait?.[Symbol.dispose]();
    }
  }

  /** The first message that can be the answer. An error without an id can be: the agent could not parse the request. */
  async #answer(command: string, id: number, deadline: DeadlineSignal, late: () => Error, complain: Complaint): Promise<Message> {
    for (;;) {
      const message = await this.#next(deadline, late, complain);
      if (!this.#echoes && this.#heard?.length !== 0) {
        throw new ProtocolError(command, "two answers, and this agent returns no ids to tell them apart", {
          excerpt: showJson([message, ...(this.#heard ?? [])]),
        });
      }
      if (!this.#echoes || message["id"] === id || ("error" in message && !("id" in message))) return message;
    }
  }

  /** The next message since the command was sent. */
  async #next(deadline: DeadlineSignal, late: () => Error, complain: Complaint): Promise<Message> {
    for (;;) {
      const message = this.#heard?.shift();
      if (message !== undefined) return message;
      if (this.#end !== undefined) throw complain(this.#end.why, this.#end.cause);
      await deadline.race(new Promise<void>((resolve) => (this.#wake = resolve)), late);
    }
  }

  /** Reads everything that arrives, as long as the channel is open. */
  async #listen(): Promise<void> {
    try {
      for await (const batch of this.#transport) {
        for (const message of batch) this.#heard?.push(message);
        this.#wake();
      }
      this.#finish({ why: "the peer closed the channel" });
    } catch (cause) {
      this.#finish({ why: `the channel broke: ${messageOf(cause)}`, cause });
      await this.#transport.close();
    }
  }

  /** Only the first reason counts. */
  #finish(end: { readonly why: string; readonly cause?: unknown }): void {
    this.#end ??= end;
    this.#wake();
  }
}

type Complaint = (why: string, cause?: unknown) => Error;

/** A number that no earlier request had. */
function newNumber(): number {
  return Math.floor(Math.random() * 2 ** 52);
}

/** A request that makes the agent return this number, without its last brace. */
function syncText(number: number): string {
  return `{"execute":"guest-sync-delimited","arguments":{"id":${number}}`;
}

function outcome(command: string, reply: Message): unknown {
  const error = reply["error"] as { readonly class?: unknown; readonly desc?: unknown } | undefined;
  if (error !== undefined) throw new CommandError(command, { class: String(error.class), desc: String(error.desc) });
  if (!("return" in reply)) throw new ProtocolError(command, "neither a reply nor an error", { excerpt: showJson(reply) });
  return reply["return"];
}
