import { expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { excerptOf } from "../../src/wire/errors.ts";
import { parseJson, showJson, writeJson } from "../../src/wire/json.ts";

const VALUES: readonly unknown[] = [
  null,
  true,
  [],
  {},
  "",
  0,
  -1,
  1.5,
  1e-7,
  1e300,
  '\u0000\u007f\u2028 é 🖥 " \\',
  { "": { "a.b": [1, [2, { c: null }]] } },
  { ["__proto__"]: 1, constructor: 2 },
];

test.each(VALUES.map((value): [string, unknown] => [JSON.stringify(value), value]))(
  "%s goes out and comes in unchanged, by both readers",
  (text, value) => {
    expect(writeJson(value, "x")).toBe(text);
    for (const exact of [false, true]) expect(parseJson("peer", text, exact)).toEqual(value);
    expect(writeJson([value, 2n ** 63n], "x")).toBe(`[${text},9223372036854775808]`);
  },
);

test("R19: 64-bit integers are exact both ways", () => {
  const integers = [2n ** 64n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n)];
  expect(parseJson("peer", writeJson({ integers }, "x"), true)).toEqual({ integers });
});

test("a number beyond 2^53 is written by its exact digits, not by the shortest that reads back", () => {
  expect(JSON.stringify(2 ** 60)).not.toBe(String(2n ** 60n));
  expect(writeJson({ size: 2 ** 60 }, "x")).toBe(`{"size":${2n ** 60n}}`);
});

const circle: Record<string, unknown> = {};
circle["self"] = circle;
let deep: unknown = 1;
for (let level = 0; level < 1025; level++) deep = [deep];

test.each<[string, unknown, string]>([
  ["NaN", { a: [0, NaN] }, "balloon: a.1: NaN is not a JSON number"],
  ["Infinity", Infinity, "balloon: Infinity is not a JSON number"],
  ["beyond 64 bits", { value: 2n ** 64n }, "balloon: value: the integer 18446744073709551616 does not fit 64 bits"],
  ["lone surrogate", { id: "\ud800" }, "balloon: id: half of a surrogate pair"],
  ["lone surrogate as a name", { "\udfff": 1 }, "balloon: half of a surrogate pair"],
  ["deeper than QEMU reads", deep, "balloon: 0.0.0.0.0.0.0.0: deeper than 1024 levels, or it contains itself"],
  ["a circle", circle, "balloon: self.self.self.self.self.self.self.self: deeper than 1024 levels, or it contains itself"],
  ["a function", () => {}, "balloon: not a JSON value: function"],
])("R15, R18, R19: what QEMU could not answer by id is refused here: %s", (_, value, message) => {
  expect(() => writeJson(value, "balloon")).toThrow(UsageError);
  expect(() => writeJson(value, "balloon")).toThrow(message);
});

test("the word null, an escaped backslash before ud, and dates are no mistakes", () => {
  expect(writeJson({ a: null, b: "null \\ud800", c: undefined, d: [undefined], e: new Date(0) }, "x")).toBe(
    '{"a":null,"b":"null \\\\ud800","d":[null],"e":"1970-01-01T00:00:00.000Z"}',
  );
});

test.each([
  '{"a":}',
  '{"a" 1}',
  "{,}",
  '{"a":1',
  '["',
  '{"a":01}',
  "[1 2]",
  '{"a":nan}',
  '{"a":-inf}',
  '"\\x"',
  "tru",
  "{}x",
  '{"a":"\u0001"}',
])("%s is refused by both readers with its text", (text) => {
  for (const exact of [false, true]) expect(() => parseJson("peer", text, exact)).toThrow(/^peer: .* at byte \d+ of a message: "/);
});

test("a number of very many digits is refused, and not read for seconds", () => {
  const before = performance.now();
  const message = /^peer: a number of 3000000 characters, and QEMU's have 20 digits, at byte 1 of a message: "/;
  expect(() => parseJson("peer", `[${"7".repeat(3_000_000)}]`, true)).toThrow(message);
  expect(performance.now() - before).toBeLessThan(500);
});

test("a long value is shown by its beginning, in a time that does not grow with it", () => {
  const long = { list: Array.from({ length: 2_000_000 }, () => ["x", 2n ** 64n]) };
  const before = performance.now();
  const shown = showJson(long);
  expect(performance.now() - before).toBeLessThan(100);
  expect(shown).toMatch(/^"\{\\"list\\":\[\[\\"x\\",\\"18446744073709551616\\"\],.*…"$/);
  expect(shown.length).toBeLessThan(200);
  expect(showJson("x".repeat(3_000_000)).length).toBeLessThan(200);
  expect(showJson({ ["x".repeat(3_000_000)]: 1 }).length).toBeLessThan(200);
});

test.each([[{ a: [1, null, "é"], b: { c: true } }], [undefined], [null], ["x".repeat(300)], [{ ["__proto__"]: 1 }]])(
  "a short value is shown whole, %#",
  (value) => {
    expect(showJson(value)).toBe(
      excerptOf(String(JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item)))),
    );
  },
);
