/// <reference lib="esnext.disposable" preserve="true" />
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Input } from "../json/json-input.ts";
import { asKept, formatJson, isNumber, type Json, toPlain } from "../json/json-value.ts";
import { handled } from "../protocol/answers.ts";
import { MismatchError } from "../protocol/mismatch.ts";
import { generic, type Refusal, refusalReply, type Request, type Said, successReply, toRequest } from "../protocol/request.ts";
import { Client } from "./client.ts";
import { FakeMonitor } from "./fake-monitor.ts";
import { parsePlace } from "./listening.ts";
import type { Weather } from "./replay-server.ts";

/** How a fake agent behaves. */
export interface AgentOptions {
  /**
   * Commands in addition to `guest-ping`, `guest-sync` and `guest-sync-delimited`. A function gets the arguments and returns the value; it
   * throws QmpFailure for an error.
   */
  readonly answers?: Readonly<Record<string, (args: unknown) => unknown>> | undefined;
  /** `unix:/path` or `tcp:127.0.0.1:0`; a socket in a private folder unless told. */
  readonly address?: string | undefined;
  readonly weather?: Pick<Weather, "chunk" | "delay" | "before" | "readRate" | "deaf"> | undefined;
  /** Whether ids are returned: old agents do not know them. True unless told. */
  readonly echoIds?: boolean | undefined;
}

/** A fake guest agent. */
export interface FakeAgent extends AsyncDisposable {
  readonly address: string;
  /** Everything that was asked so far, except synchronising. */
  readonly said: readonly Said[];
  /** Writes any bytes (one for each character): a late answer, garbage. */
  send(bytes: string): void;
  /** Breaks the connection; the agent goes on. */
  reset(): void;
  /**
   * Ends everything.
   *
   * @throws MismatchError when a function of `answers` threw anything but a QmpFailure
   */
  close(): Promise<void>;
}

/**
 * Starts a guest agent as it appears at the host's end of its channel: without greeting and events, one line for each reply, the byte 0xFF
 * before the answer to `guest-sync-delimited`, and silence when the guest goes down. Measured on qemu-ga 7.2.
 *
 * @throws UsageError when the address can't be read; the system's error when it can't be listened on
 */
export async function startAgent(options: AgentOptions = {}): Promise<FakeAgent> {
  const folder = options.address === undefined ? await mkdtemp(join(tmpdir(), "qmp-")) : undefined;
  const agent = new Agent(options, folder);
  try {
    await agent.listen(options.address ?? `unix:${join(folder ?? "", "agent.sock")}`);
    return agent;
  } catch (error) {
    await agent.close();
    throw error;
  }
}

/** Commands that send nothing when they succeed. Source: qga/qapi-schema.json, `success-response: false`. */
const SILENT: readonly string[] = ["guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"];

class Agent implements FakeAgent {
  readonly said: Said[] = [];
  readonly #mistakes: string[] = [];
  readonly #options: AgentOptions;
  readonly #folder: string | undefined;
  readonly #channel: FakeMonitor;
  #closed: Promise<void> | undefined;

  constructor(options: AgentOptions, folder: string | undefined) {
    this.#options = options;
    this.#folder = folder;
    this.#channel = new FakeMonitor("agent", (socket) => {
      const client: Client = new Client(
        socket,
        { prologue: undefined, weather: options.weather ?? {}, major: 7 },
        (input) => void this.#hear(input, client),
      );
      client.writer.raw(options.weather?.before ?? "");
      if (options.weather?.deaf !== true) client.read();
      void client.gone.then(() => client.socket.destroy());
      return client;
    });
  }

  get address(): string {
    return this.#channel.address;
  }

  async listen(address: string): Promise<void> {
    await this.#channel.listen(parsePlace(address));
  }

  send(bytes: string): void {
    this.#channel.client?.writer.raw(bytes);
  }

  reset(): void {
    this.#channel.client?.writer.reset();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    await this.#channel.close(true);
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
    if (this.#mistakes.length > 0) throw new MismatchError(this.#mistakes.map((message) => ({ message, line: 0, command: "" })));
  }

  /** Requests are answered one after another. */
  async #hear(input: Input, client: Client): Promise<void> {
    client.executing = true;
    client.queue.shift();
    const reply = await this.#answer(input);
    if (reply !== undefined) client.writer.raw(`${reply}\n`);
    client.executing = false;
    client.proceed();
  }

  async #answer(input: Input): Promise<string | undefined> {
    const request = "error" in input ? generic(input.error, undefined) : toRequest(asKept(input.value), false);
    const known = this.#options.echoIds === false ? { ...request, id: undefined } : request;
    if ("desc" in known) return formatJson(refusalReply(known));
    const { command, id } = known;
    if (command === "guest-sync" || command === "guest-sync-delimited") return synchronised(known);
    const plain = toPlain(known.arguments);
    this.said.push({ monitor: "agent", command, arguments: plain });
    const handler = Object.hasOwn(this.#options.answers ?? {}, command)
      ? this.#options.answers?.[command]
      : command === "guest-ping"
        ? (): object => ({})
        : undefined;
    if (handler === undefined)
      return formatJson(refusalReply({ class: "CommandNotFound", desc: `The command ${command} has not been found`, id }));
    const reply = await handled(handler, plain, id, (why) => this.#mistakes.push(why));
    return SILENT.includes(command) && reply.startsWith('{"return"') ? undefined : reply;
  }
}

/** Returns the client's number, so that the client knows which answers are older. */
function synchronised({ command, arguments: args, id }: Request): string {
  const wrong = wrongNumber(args.get("id"));
  if (wrong !== undefined) return formatJson(refusalReply({ ...wrong, id }));
  return `${command === "guest-sync-delimited" ? "\xff" : ""}${formatJson(successReply(args.get("id") ?? null, id))}`;
}

function wrongNumber(number: Json | undefined): Refusal | undefined {
  if (number === undefined) return generic("Parameter 'id' is missing", undefined);
  return isNumber(number) && number.real !== true ? undefined : generic("Invalid parameter type for 'id', expected: integer", undefined);
}
