import { JsonInput } from "../json/json-input.ts";
import { canonical, formatJson, isObject, type Json } from "../json/json-value.ts";
import { AGENT_CHANNEL, AgentConversation } from "../transcript/agent-channel.ts";
import { type Directive, formatDirective } from "../transcript/directive.ts";
import { parseTranscript, type Transcript } from "../transcript/transcript.ts";

/** Listens to one connection: gets the bytes of each side as they pass. */
export interface Tap {
  client(bytes: Uint8Array): void;
  server(bytes: Uint8Array): void;
  /** The client has left. */
  close(): void;
}

/** A byte that a guest agent and its client write to tell old answers from new ones. It is in no message. */
const DELIMITER = 0xff;

/** What is written down of one run of a QEMU: all its connections, in the order in which messages passed. */
export class Recording {
  readonly #lines: string[];
  readonly #replace: readonly (readonly [string, string])[];
  readonly #keepIds: boolean;
  /** The numbers of unanswered requests, by connection and id. */
  readonly #ids = new Map<string, number>();
  #asked = 0;
  #connections = 0;
  #open = 0;
  #speaking = 0;
  #shutdown = false;

  /**
   * `provenance` becomes the head. `replace` names private texts in messages, as folders, and what to write instead. Ids are numbered
   * unless `keepIds`.
   */
  constructor(provenance: Readonly<Record<string, string>>, replace: readonly (readonly [string, string])[], keepIds: boolean) {
    this.#lines = Object.entries(provenance).map(([key, value]) => `# ${key}: ${value.replaceAll("\n", " ")}`);
    this.#replace = replace;
    this.#keepIds = keepIds;
  }

  /** A client has connected. */
  connect(monitor: string): Tap {
    const connection = ++this.#connections;
    this.#open += 1;
    this.#direct({ name: "connect", connection, monitor, at: Math.floor(Date.now() / 1000) });
    this.#speaking = connection;
    const [said, answered] = [new JsonInput(), new JsonInput()];
    const agent = monitor === AGENT_CHANNEL ? new AgentConversation() : undefined;
    const clean = (bytes: Uint8Array): Uint8Array => (agent === undefined ? bytes : bytes.filter((byte) => byte !== DELIMITER));
    return {
      client: (bytes) => this.#pass("->", said, clean(bytes), connection, (it) => agent?.asked(it) ?? it),
      server: (bytes) => this.#pass("<-", answered, clean(bytes), connection, (it) => (agent === undefined ? it : agent.answered(it))),
      close: () => {
        this.#open -= 1;
        this.#direct({ name: "close", connection });
      },
    };
  }

  /** QEMU wrote this on stderr. */
  stderr(text: string): void {
    this.#direct({ name: "stderr", text: this.#scrub(text) });
  }

  /** QEMU ended. If no client was connected and no event came, something from outside ended it. */
  exit(status: string): void {
    this.#direct({ name: "exit", status: this.#open === 0 && !this.#shutdown ? "outside" : status });
  }

  /** The recording ended, and QEMU did not. */
  end(): void {
    this.#direct({ name: "end" });
  }

  /** The transcript, checked by reading it. */
  transcript(name: string): Transcript {
    return parseTranscript(this.text, name);
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #pass(arrow: "->" | "<-", input: JsonInput, bytes: Uint8Array, connection: number, worded: (message: Json) => Json | undefined): void {
    input.feed(bytes);
    for (let found = input.next(); found !== undefined; found = input.next()) {
      const message = "error" in found ? undefined : worded(found.value);
      if ("value" in found && message === undefined) continue;
      if (this.#speaking !== connection) this.#direct({ name: "on", connection });
      this.#speaking = connection;
      if ("error" in found) this.#lines.push(`# unreadable from ${arrow === "->" ? "the client" : "QEMU"}: ${found.error}`);
      else if (message !== undefined) this.#message(arrow, message, connection);
    }
  }

  #message(arrow: "->" | "<-", value: Json, connection: number): void {
    if (isObject(value) && value.get("event") === "SHUTDOWN") this.#shutdown = true;
    this.#lines.push(`${arrow} ${this.#scrub(formatJson(this.#keepIds ? value : this.#numbered(value, connection)))}`);
  }

  /**
   * Replaces an id by a number. Ids are random, so that no earlier client can have used them; in a file they would only make all recordings
   * differ.
   */
  #numbered(value: Json, connection: number): Json {
    const id = isObject(value) ? value.get("id") : undefined;
    if (!isObject(value) || id === undefined) return value;
    const own = `${connection} ${canonical(id)}`;
    const asked = value.has("execute") || value.has("exec-oob");
    const number = asked ? ++this.#asked : this.#answered(own, canonical(id));
    if (asked) this.#ids.set(own, this.#asked);
    return number === undefined
      ? value
      : new Map([...value].map(([key, member]) => [key, key === "id" ? { digits: String(number) } : member]));
  }

  /** The number of the request that this answers. If its client has not asked it, a client that has left did. */
  #answered(own: string, id: string): number | undefined {
    const key = this.#ids.has(own) ? own : [...this.#ids.keys()].findLast((it) => it.endsWith(` ${id}`));
    const number = this.#ids.get(key ?? own);
    this.#ids.delete(key ?? own);
    return number;
  }

  #direct(directive: Directive): void {
    this.#lines.push(`#! ${formatDirective(directive)}`);
  }

  #scrub(text: string): string {
    return this.#replace.reduce((so_far, [from, to]) => so_far.replaceAll(from, to), text);
  }
}
