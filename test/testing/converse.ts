import type { Step } from "../../scripts/lab/conversation.ts";
import { type WireClient, wireClient } from "../../scripts/lab/wire-client.ts";

/**
 * What each client heard, in order: `monitor 0, client 1: {"return": {}}`. Out-of-band replies keep their own order, and come last: how
 * many
 * others they overtake is nowhere promised (R32).
 */
export type Heard = readonly string[];

/** Whether all that was heard in the one is how the other begins, for each client: the one whose other side died in the middle. */
export function beginsAlike(died: Heard, other: Heard): boolean {
  const who = (line: string): string => `${line.slice(0, line.indexOf(":"))} ${isUrgent(line)}`;
  const told = died.filter((line) => !/^[^:]*: \(/.test(line));
  return told.every((line, index) => {
    const nth = told.slice(0, index).filter((it) => who(it) === who(line)).length;
    return other.filter((it) => who(it) === who(line))[nth] === line;
  });
}

/** How long an answer may take before it is taken for none, in milliseconds. */
const PATIENCE = 20_000;

/**
 * Acts out a conversation with whoever listens at these addresses. Never rejects for what the other side does: silence and endings are
 * told.
 */
export async function converse(addresses: readonly string[], steps: readonly Step[]): Promise<Heard> {
  const parts = addresses.map((address, index) => new Part(address, index));
  try {
    await actOut(parts, steps);
    return parts.flatMap((it) => it.heard());
  } finally {
    for (const part of parts) await part.leave();
  }
}

async function actOut(parts: readonly Part[], steps: readonly Step[]): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const part = parts[step.monitor];
    if (part === undefined) continue;
    if (step.kind === "quit") {
      await part.quit();
      await Promise.all(parts.map((it) => it.ended()));
      return;
    }
    if (!(await part.take(step, index))) return;
  }
  // An event may still be on its way to those who did not speak last.
  for (const part of parts) await part.catchUp("last");
}

/** One monitor, and those who speak to it, one after the other. */
class Part {
  readonly #address: string;
  readonly #monitor: number;
  readonly #heard: string[][] = [];
  #client: WireClient | undefined;
  #next: { readonly client: WireClient; readonly sync: string } | undefined;

  constructor(address: string, monitor: number) {
    this.#address = address;
    this.#monitor = monitor;
  }

  /** Gives false when the other side fell silent or hung up, so that nothing more is to be learnt. */
  async take(step: Exclude<Step, { readonly kind: "quit" }>, index: number): Promise<boolean> {
    switch (step.kind) {
      case "say":
        if (this.#client === undefined && !(await this.#greeted(await this.#connect()))) return false;
        await speak(this.#client as WireClient, step, `sync-${index}`);
        return this.#until(`sync-${index}`);
      case "queue":
        if (this.#client === undefined || this.#next !== undefined) return true;
        return this.#stand(step, `sync-${index}`);
      case "leave":
        return this.#succeed(step.half);
    }
  }

  /** Reads all that was on its way to the client, if there is one. */
  async catchUp(sync: string): Promise<void> {
    if (this.#client === undefined) return;
    await speak(this.#client, { pieces: [], resync: false }, sync);
    await this.#until(sync);
  }

  /** Tells QEMU to end, as a client in command mode. */
  async quit(): Promise<void> {
    this.#client ??= await this.#connect();
    if (this.#heard.length === 0) this.#heard.push([]);
    this.#client?.send('{"execute":"qmp_capabilities","id":"last"}\n{"execute":"quit","id":"quit"}\n');
  }

  /** Reads to the end, where there is somebody to read. */
  async ended(): Promise<void> {
    if (this.#client === undefined) return;
    const over = await within(this.#client.ended);
    this.#keep(`${this.#client.received()}${over ? "(end)" : "(no end)"}\r\n`);
  }

  async leave(): Promise<void> {
    for (const client of [this.#client, this.#next?.client]) await client?.[Symbol.asyncDispose]();
    this.#client = this.#next = undefined;
  }

  heard(): Heard {
    return this.#heard.flatMap((lines, client) => {
      const said = lines.map((line) => `monitor ${this.#monitor}, client ${client}: ${withoutTime(line)}`);
      return [...said.filter((it) => !isUrgent(it)), ...said.filter(isUrgent)];
    });
  }

  async #succeed(half: boolean): Promise<boolean> {
    const client = this.#client;
    if (client === undefined) return true;
    await this.catchUp("leaving");
    if (half) {
      client.socket.end();
      await this.ended();
    }
    await client[Symbol.asyncDispose]();
    this.#client = undefined;
    const next = this.#next;
    this.#next = undefined;
    if (next === undefined) return true;
    return (await this.#greeted(next.client)) && this.#until(next.sync);
  }

  /** Undefined where nobody listens any more, which is told. */
  async #connect(): Promise<WireClient | undefined> {
    try {
      return await wireClient(this.#address);
    } catch (error) {
      this.#heard.push([`(${String(error)})`]);
      return undefined;
    }
  }

  /** Has somebody stand in line behind the client. */
  async #stand(words: Words, sync: string): Promise<boolean> {
    const client = await this.#connect();
    if (client === undefined) return false;
    this.#next = { client, sync };
    await speak(client, words, sync);
    return true;
  }

  async #greeted(client: WireClient | undefined): Promise<boolean> {
    if (client === undefined) return false;
    this.#client = client;
    this.#heard.push([]);
    return this.#until('"QMP"');
  }

  /** Reads up to the line that has the mark. */
  async #until(mark: string): Promise<boolean> {
    for (;;) {
      const line = await within((this.#client as WireClient).line().catch((error: unknown) => `(${String(error)})`));
      this.#keep(`${line === undefined || line === true ? `(silence instead of ${mark})` : line}\r\n`);
      if (typeof line !== "string" || line.startsWith("(")) return false;
      if (line.includes(mark)) return true;
    }
  }

  #keep(text: string): void {
    this.#heard.at(-1)?.push(...text.split("\r\n").slice(0, -1));
  }
}

interface Words {
  readonly pieces: readonly string[];
  readonly resync: boolean;
}

/**
 * Says it all, and then a request whose answer shows that all before it is answered. A control character brings the other side back to its
 * senses (R23).
 */
async function speak(client: WireClient, { pieces, resync }: Words, sync: string): Promise<void> {
  for (const piece of [...pieces, `${resync ? "\x01" : ""}\n{"execute":"query-name","id":"${sync}"}\n`]) {
    client.socket.write(Buffer.from(piece, "latin1"));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isUrgent(line: string): boolean {
  return line.includes('"id": "oob-');
}

function withoutTime(line: string): string {
  return line.replace(/"timestamp": \{"seconds": \d+, "microseconds": \d+\}/, '"timestamp": …');
}

/** What a promise gives; undefined if it takes too long. */
async function within<T>(promise: Promise<T>): Promise<T | true | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE);
  });
  try {
    return await Promise.race([promise.then((value) => value ?? true), late]);
  } finally {
    clearTimeout(timer);
  }
}
