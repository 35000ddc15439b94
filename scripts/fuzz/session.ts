import { isErrorCode } from "../../src/errors.ts";
import { open, type Session } from "../../src/qmp/session.ts";
import { Framer } from "../../src/wire/framing.ts";
import { Inbox } from "../../src/wire/inbox.ts";
import type { Transport } from "../../src/wire/transport.ts";
import type { Random } from "../lab/random.ts";
import { insist, soon, type Target } from "./target.ts";
import { anything, cut, spoilt, written } from "./words.ts";

/** A client, and a peer that answers late, twice, out of order, wrongly, in pieces or not at all, and leaves at any time. */
export const session: Target = {
  name: "session",
  async run(random) {
    const peer = new Peer(random);
    const opened = await soon(
      open(peer, { timeout: 40 }).catch((error: unknown) => error),
      "opening",
    );
    insist(isSession(opened) || isErrorCode(opened, "greeting", "negotiation"), `opening failed otherwise: ${String(opened)}`);
    if (isSession(opened)) await converse(opened, random);
    insist(peer.closed, "the transport was not closed");
  },
};

function isSession(value: unknown): value is Session {
  return typeof value === "object" && value !== null && "execute" in value;
}

const REASONS = ["command", "timeout", "closed", "protocol", "refused"] as const;

async function converse(client: Session, random: Random): Promise<void> {
  const streams = Array.from({ length: random.below(4) }, () => readAll(client, random));
  const calls = Array.from({ length: 1 + random.below(30) }, () => call(client, random));
  const settled = await soon(Promise.allSettled(calls), "calls");
  for (const one of settled) {
    if (one.status === "fulfilled" || one.reason === "enough") continue;
    insist(isErrorCode(one.reason, ...REASONS), `a call failed otherwise: ${String(one.reason)}`);
  }
  const [first] = await Promise.all([client.closed, client.close(), client.close()]);
  insist(first.by === "us" || isErrorCode(first.error, "closed", "protocol"), "it ended without a reason");
  await soon(Promise.all(streams), "streams");
  const after = await client.execute("query-status").catch((error: unknown) => error);
  insist(isErrorCode(after, "closed"), "a call after the end did not fail");
}

/** Reads a stream to its end, which must give a reason. Some readers leave early. */
async function readAll(client: Session, random: Random): Promise<void> {
  const stream = client.events(undefined, { bound: 1 + random.below(6) });
  let patience = random.below(2) === 0 ? random.below(5) : Infinity;
  try {
    for await (const _ of stream) if (--patience < 0) break;
  } catch (error) {
    insist(isErrorCode(error, "closed", "protocol", "overflow"), `a stream ended otherwise: ${String(error)}`);
  }
}

async function call(client: Session, random: Random): Promise<unknown> {
  const controller = new AbortController();
  if (random.below(6) === 0) setImmediate(() => controller.abort("enough"));
  const options = { signal: controller.signal, timeout: 1 + random.below(10) };
  if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
  const name: string = "x";
  const parameters: object = { a: harmless(anything(random)) };
  switch (random.below(5)) {
    case 0:
      return client.executeOob(name, parameters, options);
    case 1:
      return client.execute("query-status", undefined, options);
    case 2:
      return client.waitFor("STOP", options);
    default:
      return client.execute(name, parameters, options);
  }
}

/** Leaves out what a client refuses to send. Other tests cover that. */
function harmless(value: unknown): unknown {
  return typeof value === "object" ? null : value;
}

class Peer implements Transport {
  readonly peer = "fuzz";
  closed = false;
  readonly #random: Random;
  readonly #inbox = new Inbox();
  readonly #framer = new Framer("fuzz");
  readonly #due: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    const capabilities = random.pick(["[]", '["oob"]', '["oob","later"]']);
    const greeting = `{"QMP":{"version":{"qemu":{"major":${random.pick([5, 7, 11])},"minor":0,"micro":0},"package":""},"capabilities":${capabilities}}}`;
    if (random.below(30) > 0) this.#say(`${random.below(10) === 0 ? this.#event() : ""}${greeting}\r\n`);
    else if (random.below(2) === 0) this.#inbox.end();
  }

  send(text: string | Uint8Array): void {
    for (const line of String(text).split("\n").filter(Boolean))
      this.#hear(JSON.parse(line) as { readonly execute?: string; readonly id: unknown });
    setImmediate(() => this.#turn());
  }

  async close(): Promise<void> {
    this.closed = true;
    this.#inbox.end();
  }

  [Symbol.asyncIterator](): Inbox {
    return this.#inbox;
  }

  #hear({ execute, id }: { readonly execute?: string; readonly id: unknown }): void {
    const random = this.#random;
    if (execute === "qmp_capabilities" && random.below(30) > 0) return this.#say(`{"return": {}, "id": ${JSON.stringify(id)}}\r\n`);
    const good = `${written({ return: anything(random), id }, random)}\r\n`;
    const refused = `${written({ id, error: { class: "GenericError", desc: "no" } }, random)}\r\n`;
    const answers = [
      good,
      good,
      good,
      refused,
      good + good,
      refused + good,
      `${this.#event()}${good}`,
      `${good}${this.#event()}`,
      '{"error": {"class": "GenericError", "desc": "x"}}\n',
      `${written({ return: 1, id: anything(random) }, random)}\n`,
      "",
    ];
    this.#due.splice(random.below(this.#due.length + 1), 0, random.pick(answers));
  }

  #event(): string {
    return `${written({ event: this.#random.pick(["STOP", "E", ""]), data: anything(this.#random), timestamp: { seconds: 1, microseconds: 2 } }, this.#random)}\n`;
  }

  #turn(): void {
    if (this.#random.below(4) === 0 && this.#due.length > 0) return void setImmediate(() => this.#turn());
    for (const text of this.#due.splice(0)) this.#say(text);
    if (this.#random.below(30) === 0) this.#inbox.end(this.#random.below(2) === 0 ? undefined : new Error("read ECONNRESET"));
  }

  #say(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (const piece of cut(this.#random.below(60) === 0 ? spoilt(bytes, this.#random) : bytes, this.#random)) {
      const frames = this.#framer.read(piece);
      this.#inbox.push(frames.messages);
      if (frames.fault !== undefined) return this.#inbox.end(frames.fault);
    }
  }
}
