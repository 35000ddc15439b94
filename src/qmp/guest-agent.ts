/// <reference lib="esnext.disposable" preserve="true" />
import { messageOf } from "../errors.ts";
import { formatAddress, parseTarget, type Target } from "../wire/address.ts";
import { ConnectError, ProtocolError } from "../wire/errors.ts";
import { Framer, type FramingOptions } from "../wire/framing.ts";
import { showJson, writeJson } from "../wire/json.ts";
import { dial } from "../wire/socket.ts";
import type { Message, Transport } from "../wire/transport.ts";
import type { CallOptions } from "./call.ts";
import { ClosedError, CommandError, GreetingError, TimeoutError } from "./errors.ts";
import { Patience } from "./patience.ts";

/** No JSON has it: the agent writes it before its answer to `guest-sync-delimited`, and forgets what it was reading when it gets it. */
const DELIMITER = 0xff;

/** Commands that send nothing when they succeed: QEMU's qga/qapi-schema.json, `success-response: false`. */
const SILENT: ReadonlySet<string> = new Set(["guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"]);

/** How long such a command has to report an error, in milliseconds. */
const SILENCE = 1000;

/** How to reach a guest agent. */
export interface AgentOptions extends FramingOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeout?: number | undefined;
}

/**
 * Connects to a guest agent, by the host's end of its channel, and finds out whether there is one in the guest.
 * `timeout` is for all of it, in milliseconds: 5000 unless told.
 *
 * @throws UsageError, ConnectError, GreetingError (nobody answers within the guest); the signal's reason as it is
 */
export async function connectAgent(address: string | Target, options: AgentOptions = {}): Promise<GuestAgent> {
  const at = typeof address === "string" ? parseTarget(address) : address;
  const peer = formatAddress(at);
  const patience = new Patience(options.timeout ?? 5000, options.signal);
  try {
    const late = (): Error => new ConnectError(peer, `not connected within ${patience.timeout} ms`);
    const transport = await patience.within(dial(at, patience.signal, new Framer(peer, options, DELIMITER)), late);
    const agent = new GuestAgent(transport);
    try {
      const nobody = `the guest agent does not answer within ${patience.timeout} ms: it may not run in the guest, or the guest is stuck`;
      await agent.synchronise(patience, () => new GreetingError(peer, nobody), (why, cause) => new GreetingError(peer, why, { cause }));
      return agent;
    } catch (cause) {
      void agent.close();
      throw cause;
    }
  } finally {
    patience.done();
  }
}

/**
 * A guest agent (R45): no greeting, no capabilities, no events, no ids to rely on, one command at a time. After a command that was
 * given up, the next one first makes sure that it gets its own answer.
 */
export class GuestAgent implements AsyncDisposable {
  /** The channel's address. */
  readonly address: string;
  readonly #transport: Transport;
  readonly #batches: AsyncIterator<readonly Message[]>;
  #coming: Promise<IteratorResult<readonly Message[]>> | undefined;
  #messages: Message[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #synchronised = false;
  #closed = false;

  constructor(transport: Transport) {
    this.address = transport.peer;
    this.#transport = transport;
    this.#batches = transport[Symbol.asyncIterator]();
  }

  /**
   * Runs a command in the guest, after those before it; without `timeout`, 30 s. Commands that say nothing when they succeed
   * (`guest-shutdown`, `guest-suspend-*`) give undefined when no error came for a second.
   *
   * @throws CommandError, TimeoutError (`queued`: it was not sent), ClosedError, UsageError; the signal's reason as it is
   */
  async execute(command: string, parameters?: object, options: CallOptions = {}): Promise<unknown> {
    const { timeout = 30_000, signal } = options;
    const text = writeJson({ execute: command, arguments: parameters }, command);
    const patience = new Patience(timeout, signal);
    const before = this.#turn;
    let finish = (): void => {};
    this.#turn = Promise.all([before, new Promise<void>((resolve) => (finish = resolve))]);
    try {
      const unsent = (): Error => new TimeoutError(command, timeout, "queued");
      await patience.within(before, unsent);
      await this.synchronise(patience, unsent, (why, cause) => new ClosedError(command, why, { sent: false, cause }));
      return await this.#run(command, text, patience);
    } finally {
      patience.done();
      finish();
    }
  }

  /** Reads away what is left of earlier commands. For {@link connectAgent}, and for `execute` after one that was given up. */
  async synchronise(patience: Patience, late: () => Error, complain: (why: string, cause?: unknown) => Error): Promise<void> {
    if (this.#synchronised) return;
    const id = Math.floor(Math.random() * 2 ** 52);
    this.#transport.send(Uint8Array.of(DELIMITER));
    this.#transport.send(`{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`);
    while ((await this.#next(patience, late, complain))["return"] !== id);
    this.#synchronised = true;
  }

  /** Gives the channel up; a command that runs goes on in the guest. Any number of calls. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(command: string, text: string, patience: Patience): Promise<unknown> {
    const silent = SILENT.has(command);
    const wait = silent ? new Patience(SILENCE, patience.signal) : patience;
    this.#synchronised = false;
    this.#transport.send(`${text}\n`);
    try {
      const late = (): Error => new TimeoutError(command, patience.timeout, "unanswered");
      const reply = await this.#next(wait, late, (why, cause) => new ClosedError(command, why, { sent: true, cause }));
      this.#synchronised = true;
      return outcome(command, reply);
    } catch (error) {
      if (silent && (error instanceof TimeoutError || error instanceof ClosedError) && !patience.signal.aborted && !this.#closed) return undefined;
      throw error;
    } finally {
      if (silent) wait.done();
    }
  }

  /** A read that is given up still gets the next batch: it is kept for whoever reads next. */
  async #next(patience: Patience, late: () => Error, complain: (why: string, cause?: unknown) => Error): Promise<Message> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      if (this.#closed) throw complain("the channel was closed here");
      this.#coming ??= this.#batches.next();
      const coming = this.#coming.catch((cause: unknown) => {
        throw complain(`the channel broke: ${messageOf(cause)}`, cause);
      });
      const turn = await patience.within(coming, late);
      this.#coming = undefined;
      if (turn.done === true) throw complain(this.#closed ? "the channel was closed here" : "the peer closed the channel");
      this.#messages.push(...turn.value);
    }
  }
}

function outcome(command: string, reply: Message): unknown {
  const error = reply["error"] as { readonly class?: unknown; readonly desc?: unknown } | undefined;
  if (error !== undefined) throw new CommandError(command, { class: String(error.class), desc: String(error.desc) });
  if (!("return" in reply)) throw new ProtocolError(command, "neither a reply nor an error", { excerpt: showJson(reply) });
  return reply["return"];
}
