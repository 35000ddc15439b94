import { isDeepStrictEqual } from "node:util";
import { JsonInput } from "../../src/testing/json/json-input.ts";
import { formatJson } from "../../src/testing/json/json-value.ts";
import { Framer } from "../../src/wire/framing.ts";
import type { Message } from "../../src/wire/transport.ts";
import type { Random } from "../lab/random.ts";
import { insist, type Target } from "./target.ts";
import { anyObject, cut, spoilt, written } from "./words.ts";

/**
 * Bytes to messages, on both sides. What was written is read, however it is cut. If bytes are damaged, the cuts still make no difference,
 * nothing is thrown, and the framer never holds more than it was given.
 */
export const framing: Target = {
  name: "framing",
  run(random) {
    const messages = Array.from({ length: 1 + random.below(6) }, () => anyObject(random));
    const bytes = new TextEncoder().encode(messages.map((it) => written(it, random)).join(random.pick(["\r\n", "\n", "", " \t"])));
    const clean = framed(cut(bytes, random));
    insist(!clean.fault && clean.pending === 0, "a good stream is taken for a bad one");
    insist(isDeepStrictEqual(clean.messages, messages.map(plain)), `read other than written: ${JSON.stringify(clean.messages, showBig)}`);
    const bad = random.below(2) === 0 ? spoilt(bytes, random) : bytes;
    compareCuts(bad, random);
  },
};

function compareCuts(bytes: Uint8Array, random: Random): void {
  const [whole, pieces] = [framed([bytes]), framed(cut(bytes, random))];
  insist(isDeepStrictEqual(whole.messages, pieces.messages) && whole.fault === pieces.fault, "the framer depends on how the bytes are cut");
  insist(whole.pending <= bytes.length, "the framer holds more than it was given");
  insist(heard([bytes]).join("\n") === heard(cut(bytes, random)).join("\n"), "the fake's reader depends on how the bytes are cut");
}

function framed(pieces: readonly Uint8Array[]): {
  readonly messages: readonly Message[];
  readonly fault: boolean;
  readonly pending: number;
} {
  const framer = new Framer("fuzz");
  const messages: Message[] = [];
  for (const piece of pieces) {
    const frames = framer.read(piece);
    messages.push(...frames.messages);
    if (frames.fault !== undefined) return { messages, fault: true, pending: 0 };
  }
  return { messages, fault: false, pending: framer.pending };
}

function heard(pieces: readonly Uint8Array[]): readonly string[] {
  const input = new JsonInput();
  const found: string[] = [];
  for (const piece of pieces) {
    input.feed(piece);
    for (let next = input.next(); next !== undefined; next = input.next())
      found.push("error" in next ? next.error : formatJson(next.value));
  }
  return found;
}

/** The value that a reader gives: integers within 2^53 are numbers. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (typeof value === "number")
    return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < 1e21 ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

function showBig(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
