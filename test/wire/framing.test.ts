import { expect, test } from "vitest";
import { Framer, NESTING_CEILING } from "../../src/wire/framing.ts";
import { FAULT, type Message } from "../../src/wire/transport.ts";

/** Reads the text in parts of that many bytes. */
function read(
  bytes: Buffer | string,
  size: number,
  framer: Framer = new Framer("peer"),
): { messages: Message[]; fault: string | undefined } {
  const all = Buffer.from(bytes as string);
  const messages: Message[] = [];
  for (let at = 0; at < all.length; at += size) {
    const frames = framer.read(all.subarray(at, at + size));
    messages.push(...frames.messages);
    if (frames.fault !== undefined) return { messages, fault: frames.fault.message };
  }
  return { messages, fault: undefined };
}

const CONVERSATION = [
  { QMP: { version: { qemu: { micro: 22, minor: 2, major: 7 }, package: "" }, capabilities: ["oob"] } },
  { return: {}, id: "a" },
  { return: { text: 'a "quoted" }brace{ and [bracket] \\ \\" é 🖥 \u0001 \ud83d\udda5', list: [[], {}, [{}]] } },
  { timestamp: { seconds: 1, microseconds: 2 }, event: "STOP" },
  { error: { class: "GenericError", desc: "}" } },
];

test.each([1, 2, 3, 5, 7, 64, 100_000])("R14, R29: messages are cut by structure in reads of %i bytes: lines, pretty, joined", (size) => {
  const lines = CONVERSATION.map((message) => `${JSON.stringify(message)}\r\n`).join("");
  const pretty = CONVERSATION.map((message) => `${JSON.stringify(message, undefined, 4).replaceAll("\n", "\r\n")}\r\n`).join("");
  const joined = CONVERSATION.map((message) => JSON.stringify(message)).join("");
  const escaped = lines.replace(/[^\0-~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()}`);
  for (const text of [lines, pretty, joined, escaped]) expect(read(text, size)).toEqual({ messages: CONVERSATION, fault: undefined });
});

test("R24: a message that is not complete is held, and comes out when it is", () => {
  const framer = new Framer("peer");
  expect(framer.read(Buffer.from('{"return":{"a":"')).messages).toEqual([]);
  expect(framer.pending).toBe(16);
  expect(framer.read(Buffer.from('}"}}')).messages).toEqual([{ return: { a: "}" } }]);
  expect(framer.pending).toBe(0);
});

test("what precedes garbage is still delivered, and the garbage is shown", () => {
  const { messages, fault } = read('{"return":{}}\r\nSSH-2.0-OpenSSH_9.2\r\n', 4096);
  expect(messages).toEqual([{ return: {} }]);
  expect(fault).toBe('peer: this is not QMP: "SSH-2.0-OpenSSH_9.2\\r\\n"');
});

test.each([
  ["\ufeff{}", "\\xef\\xbb\\xbf{}"],
  ["[1]", "[1]"],
  ["\0", "\\u0000"],
])("%j between messages is not QMP", (text, shown) => {
  expect(read(text, 4096).fault).toContain(shown);
});

test("a message is refused as soon as it is longer than the limit, not when it ends", () => {
  const framer = new Framer("peer", { messageLimit: 1000 });
  const { messages, fault } = read(`{"return":"${"x".repeat(980)}"}{"return":"${"y".repeat(990)}`, 100, framer);
  expect(messages).toHaveLength(1);
  expect(fault).toMatch(/^peer: a message longer than 1000 bytes, its messageLimit: "\{\\"return\\":\\"yyy/);
});

test("nesting is bounded at any split", () => {
  const deepest = `${'{"a":'.repeat(NESTING_CEILING)}1${"}".repeat(NESTING_CEILING)}`;
  expect(read(deepest, 1000).messages).toHaveLength(1);
  expect(read(`{"b":${deepest}}`, 1000).fault).toContain(`nested deeper than ${NESTING_CEILING} levels`);
});

test("R19: exact integers survive any split, and only long ones are bigints", () => {
  const text = '{"return":[18446744073709551615,-9223372036854775808,9007199254740991,9007199254740993,12],"id":18446744073709551615}';
  for (const size of [1, 3, 19, 200]) {
    expect(read(text, size).messages).toEqual([
      { return: [18446744073709551615n, -9223372036854775808n, 9007199254740991, 9007199254740993n, 12], id: 18446744073709551615n },
    ]);
  }
});

test("R19: a number that is not JSON is reported with the bytes around it, and no other message is lost", () => {
  const { messages, fault } = read('{"return":{"mbps":-inf,"a":1},"id":"x"}{"return":2}', 4096);
  expect(fault).toBeUndefined();
  expect(messages[0]?.[FAULT]?.message).toBe(
    'peer: a number that is not JSON at byte 18 of a message: "{\\"return\\":{\\"mbps\\":-inf,\\"a\\":1},\\"id\\":\\"x\\"}"',
  );
  expect({ ...messages[0] }).toMatchObject({ return: { mbps: NaN, a: 1 }, id: "x" });
  expect(messages[1]).toEqual({ return: 2 });
});

test("what is no JSON in any reading ends the stream", () => {
  const { messages, fault } = read('{"return":1}{"return":tru}{"return":2}', 4096);
  expect(messages).toEqual([{ return: 1 }]);
  expect(fault).toBe('peer: a broken value at byte 10 of a message: "{\\"return\\":tru}"');
});

test("bytes are looked at once: a message that drips in costs what it costs in one read", () => {
  const drip = Buffer.from(`{"return":"${"x".repeat(4_000_000)}"}`);
  const framer = new Framer("peer");
  let messages = 0;
  for (let at = 0; at < drip.length; at += 16) messages += framer.read(drip.subarray(at, at + 16)).messages.length;
  // 250,000 reads: a scanner that began again at each would look at 5 * 10^11 bytes, and the test would time out.
  expect(messages).toBe(1);
});

test.each([1, 2, 5, 100])(
  "R45: the tail of a reply to an earlier client is neither a message nor a fault, in reads of %i bytes",
  (size) => {
    const bytes = Buffer.concat([Buffer.from('rn": "garb"}\n{"return":'), Buffer.of(0xff), Buffer.from('{"return":1}')]);
    expect(read(bytes, size, new Framer("peer", { messageLimit: 1000 }, 0xff))).toEqual({ messages: [{ return: 1 }], fault: undefined });
  },
);

test.each([1, 2, 5, 100])("R45: what stands before a delimiter is forgotten, in reads of %i bytes", (size) => {
  const bytes = Buffer.concat(['{"return":{"half":"', "\\", "{[\xff", '{"return":1}\n'].map((part) => Buffer.from(part, "latin1")));
  expect(read(bytes, size, new Framer("peer", { messageLimit: 1000 }, 0xff))).toEqual({ messages: [{ return: 1 }], fault: undefined });
});

const DIGITS = "7".repeat(3_000_000);

test.each([
  ["an integer", `{"QMP":${DIGITS}}`],
  ["a negative one", `{"QMP":-${DIGITS}}`],
  ["a fraction", `{"QMP":1.${DIGITS}}`],
  ["an exponent", `{"QMP":1e+${DIGITS}}`],
  ["one in a list", `{"return":[1,${DIGITS},2]}`],
])("a number that is longer than any of QEMU's ends the stream at once: %s of three million digits", (_, text) => {
  for (const size of [1000, 65_536]) {
    const framer = new Framer("peer");
    const before = performance.now();
    const { messages, fault } = read(`{"return":{}}${text}`, size, framer);
    expect(messages).toEqual([{ return: {} }]);
    expect(fault).toMatch(/^peer: a number of more than 320 digits, and QEMU's have 20: "[^"]{0,80}/);
    expect(fault?.length).toBeLessThan(200);
    // It is refused when 320 digits are there, and not when the number is whole.
    expect(framer.pending).toBeLessThan(1000);
    expect(performance.now() - before).toBeLessThan(1000);
  }
});

test("the longest numbers that a QEMU writes are read", () => {
  const largest = `${String(BigInt(Number.MAX_VALUE))}.000001`;
  expect(read(`{"return":[${largest},-${largest},1.7976931348623157e+308,18446744073709551615]}`, 7).messages).toEqual([
    { return: [Number.MAX_VALUE, -Number.MAX_VALUE, Number.MAX_VALUE, 18446744073709551615n] },
  ]);
});

test("digits in a string are no number", () => {
  expect(read(`{"return":"${"7".repeat(1000)}"}`, 64).fault).toBeUndefined();
});

test("after a fault nothing is read, however much comes", () => {
  const framer = new Framer("peer", { messageLimit: 10_000_000 });
  framer.read(Buffer.from('{"return":"'));
  const part = Buffer.alloc(64 * 1024, "x");
  const { fault } = read(Buffer.alloc(10_000_001, "x"), part.length, framer);
  expect(fault).toContain("its messageLimit");
  // Each of them was added to what is held, which was copied for it.
  const before = performance.now();
  for (let count = 0; count < 2000; count++) expect(framer.read(part).fault?.message).toBe(fault);
  expect(performance.now() - before).toBeLessThan(2000);
});

test("a message of very many parts is refused, before it takes fifty times its size in memory", () => {
  const lists = "[],".repeat(1_000_000);
  expect(read(`{"return":[${lists}1]}`, 65_536, new Framer("peer", { messageLimit: 10_000_000 })).fault).toMatch(
    /^peer: a message of more than 1000000 lists, objects and strings: "\{\\"return\\":\[\[\],\[\]/,
  );
  // Each message is counted by itself, and the limit grows with that of its length.
  expect(read('{"return":[[],"a"]}'.repeat(400_000), 65_536, new Framer("peer", { messageLimit: 10_000_000 })).fault).toBeUndefined();
  expect(read(`{"return":[${lists}1]}`, 65_536).fault).toBeUndefined();
});
