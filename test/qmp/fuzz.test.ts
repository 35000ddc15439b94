import { expect, test } from "vitest";
import { open, type Session } from "../../src/qmp/session.ts";
import { Framer } from "../../src/wire/framing.ts";
import { Inbox } from "../../src/wire/inbox.ts";
import type { Transport } from "../../src/wire/transport.ts";
import { GREETING, type Request } from "./peer.ts";

/** Cases in a usual run; QMPCTL_FUZZ asks for more, QMPCTL_SEED for one. */
const CASES = Number(process.env["QMPCTL_FUZZ"] ?? 200);
const ONLY = process.env["QMPCTL_SEED"];

/** Numbers that look random and come again with the seed (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  };
}

type Dice = ReturnType<typeof dice>;

/** Something that JSON can say, of any kind. */
function anything(roll: Dice, depth = 0): unknown {
  switch (roll(depth > 3 ? 6 : 8)) {
    case 0:
      return null;
    case 1:
      return roll(2) === 0;
    case 2:
      return roll(1000) / 8;
    case 3:
      return BigInt(roll(2 ** 31)) * 2n ** 33n;
    case 4:
      return String.fromCodePoint(
        ...Array.from({ length: roll(5) }, () => [0, 9, 34, 92, 123, 125, 0xe9, 0x2028, 0x1f5a5][roll(9)] as number),
      );
    case 5:
      return "x".repeat(roll(300));
    case 6:
      return Array.from({ length: roll(4) }, () => anything(roll, depth + 1));
    default:
      return Object.fromEntries(Array.from({ length: roll(4) }, (_, index) => [`m${index}`, anything(roll, depth + 1)]));
  }
}

const write = (value: unknown): string =>
  JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? `\uE000${item}\uE000` : item)).replaceAll(
    /"\uE000(\d+)\uE000"/g,
    "$1",
  );

/** A peer whose bytes arrive split anywhere, and which now and then answers late, twice, wrongly, in another order, or goes. */
function wildPeer(roll: Dice): Transport {
  const inbox = new Inbox();
  const framer = new Framer("wild");
  const say = (text: string): void => {
    const bytes = Buffer.from(text);
    if (roll(60) === 0 && bytes.length > 0) bytes[roll(bytes.length)] = roll(256);
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + roll(roll(4) === 0 ? 3 : 200));
      const frames = framer.read(bytes.subarray(at, end));
      inbox.push(frames.messages);
      if (frames.fault !== undefined) return inbox.end(frames.fault);
      at = end;
    }
  };
  const due: string[] = [];
  const answer = (request: Request): void => {
    const good = `${write({ return: anything(roll), id: request.id })}\r\n`;
    const kinds = [
      good,
      good,
      good,
      good + good,
      write({ error: { class: "GenericError", desc: "d" }, id: request.id }),
      write({ error: { class: "C", desc: "d" } }),
      write({ return: 1, id: anything(roll) }),
      write({ event: "E", data: anything(roll), timestamp: { seconds: 1, microseconds: 2 } }) + good,
      "",
    ];
    due.splice(roll(due.length + 1), 0, kinds[roll(kinds.length)] as string);
  };
  const turn = (): void => {
    for (const text of due.splice(0)) say(text);
    if (roll(25) === 0) inbox.end(roll(2) === 0 ? undefined : new Error("read ECONNRESET"));
  };
  say(`${write(GREETING)}\r\n`);
  return {
    peer: "wild",
    send(text) {
      for (const line of String(text).split("\n").filter(Boolean)) {
        const request = JSON.parse(line) as Request;
        if (request.execute === "qmp_capabilities") say(write({ return: {}, id: request.id }));
        else answer(request);
      }
      setImmediate(turn);
    },
    close: async () => inbox.end(),
    [Symbol.asyncIterator]: () => inbox,
  };
}

/** One conversation; resolves when every call is settled and every stream has ended. */
async function converse(session: Session, roll: Dice): Promise<number> {
  const stream = session.events(undefined, { bound: 1 + roll(5) });
  const reading = (async () => {
    for await (const _ of stream);
  })().catch((error: { readonly code?: string }) => expect(["closed", "protocol", "overflow"]).toContain(error.code));
  const calls = Array.from({ length: 1 + roll(40) }, async () => {
    if (roll(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    const controller = new AbortController();
    if (roll(6) === 0) setImmediate(() => controller.abort("enough"));
    const options = { signal: controller.signal, timeout: roll(8) === 0 ? 1 + roll(5) : 60 };
    return roll(5) === 0
      ? session.executeOob("x", { a: anything(roll) }, options)
      : session.execute(["x", "query-status"][roll(2)] as string, { a: anything(roll) }, options);
  });
  const settled = await Promise.allSettled(calls);
  for (const one of settled)
    if (one.status === "rejected")
      expect([one.reason === "enough", one.reason?.code]).toSatisfy(
        ([abort, code]) => abort === true || ["command", "timeout", "closed", "protocol"].includes(code as string),
      );
  await session.close();
  await reading;
  return settled.length;
}

// Reproducible but for timing: a failure names its seed. Runs of any length: QMPCTL_FUZZ=100000 vitest run … test/qmp/fuzz
test(
  `whatever a peer does, every call settles and every stream ends: ${ONLY === undefined ? `${CASES} seeds` : `seed ${ONLY}`}`,
  { timeout: 60_000 + CASES * 100 },
  async () => {
    const seeds = ONLY === undefined ? Array.from({ length: CASES }, (_, index) => index) : [Number(ONLY)];
    const counts = await Promise.all(
      seeds.map(async (seed) => {
        const roll = dice(seed);
        const session = await open(wildPeer(roll), { timeout: 1000 }).catch((error: { readonly code?: string }) => {
          expect(["greeting", "negotiation"], `seed ${seed}`).toContain(error.code);
        });
        return session instanceof Object
          ? converse(session, roll).catch((cause: unknown) => Promise.reject(new Error(`seed ${seed}`, { cause })))
          : 0;
      }),
    );
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(seeds.length / 2);
  },
);
