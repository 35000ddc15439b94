import { describe, expect, it } from "vitest";
import { randomFrom } from "../../../scripts/lab/random.ts";
import { JsonInput, parseJson } from "../../../src/testing/json/json-input.ts";
import { canonical, formatJson, fromPlain, qemuNumber, toPlain } from "../../../src/testing/json/json-value.ts";

function read(text: string | Uint8Array, chunk = 1 << 20): readonly string[] {
  const bytes = typeof text === "string" ? Uint8Array.from(text, (char) => char.charCodeAt(0)) : text;
  const input = new JsonInput();
  const found: string[] = [];
  for (let at = 0; at < bytes.length; at += chunk) {
    input.feed(bytes.subarray(at, at + chunk));
    for (let next = input.next(); next !== undefined; next = input.next())
      found.push("error" in next ? next.error.replace("JSON parse error, ", "! ") : formatJson(next.value));
  }
  return found;
}

/** What QEMU 7.2 answered to these bytes (one character a byte); `! ` stands for `JSON parse error, `. */
const MEASURED: readonly (readonly [string, readonly string[]])[] = [
  ["GET / HTTP/1.1\r\n\n", ["! stray 'G'"]],
  ["\x01\n", ["! stray '\x01'"]],
  ["nul \n", ["! invalid keyword 'nul'"]],
  ['"\xff"\n', ["! stray '\"\ufffd'"]],
  ['"\\ud800" \n', ["! \\ud800 is not a valid Unicode character"]],
  ['"\\ud800x" \n', ["! \\ud800 is not a valid Unicode character"]],
  ['"\\udc00" \n', ["! \\udc00 is not a valid Unicode character"]],
  ['"\\u12" \n', ['! \\u12" is not a valid Unicode character']],
  ['"\\u1\xe2\x82\xac" \n', ["! \\u1\u20ac is not a valid Unicode character"]],
  ['"\\u\xc3A0" \n', ['! \\u\ufffdA0" is not a valid Unicode character']],
  ['"\\u\xf8\x88\x80\x80" \n', ["! \\u\ufffd is not a valid Unicode character"]],
  ['"\\q" \n', ["! invalid escape sequence in string"]],
  ['"a\x01b" \n', ["! stray '\"a\x01'"]],
  ["01 \n", ["! stray '01'"]],
  ["1. \n", ["! stray '1. '"]],
  ["1.e \n", ["! stray '1.e'"]],
  ["1e \n", ["! stray '1e '"]],
  [".5 \n", ["! stray '.'"]],
  ["+1 \n", ["! stray '+'"]],
  ["-\n", ["! stray '-\n'"]],
  ["\n", []],
  ['{"execute":"\xc3"}\n', ["! invalid UTF-8 sequence in string"]],
  ['{"execute":"\xed\xa0\x80"}\n', ["! invalid UTF-8 sequence in string"]],
  ["%d \n", ["! stray '%'"]],
  ["'a\"b\\/' \n", ['"a\\"b/"']],
  ["\xef\xbb\xbf{}\n", ["! stray '\ufffd'", "{}"]],
  ['{"a":1]}\n', ["! expected separator in dict", "! expecting value"]],
  ['{"a":1,}\n', ["! expecting value"]],
  ['{"a":nul}\n{}', ["! invalid keyword 'nul'", "{}"]],
  ['{"a":@}{}\n{}', ["! stray '@'", "! expecting value", "{}", "{}"]],
  ['{"a":"x\x01"}{}\n{}', ["! stray '\"x\x01'", "! expecting value", "{}", "{}"]],
  ["[}{}", ["! expecting value", "{}"]],
  ["{{}}{}", ["! key is not a string in object", "{}"]],
  ['{"a" 1, "b":[}]}{}', ["! missing : in object pair", "! expecting value", "{}"]],
  ['{"a":1,"a":2}', ["! duplicate key"]],
  ["[1 2]", ["! expected separator in list"]],
  ["1x ", ["1", "! invalid keyword 'x'"]],
  ['1"a"', ["1", '"a"']],
  ["0x1 ", ["0", "! invalid keyword 'x'", "1"]],
  ["True ", ["! stray 'T'"]],
  ['"\xf8"{}', ["! invalid UTF-8 sequence in string", "{}"]],
  ["\x80{}", ["! stray '\ufffd'", "{}"]],
  [
    `${"[".repeat(1025)}${"]".repeat(3)}\n{}`,
    ["JSON nesting depth limit exceeded", "! expecting value", "! expecting value", "! expecting value", "{}"],
  ],
  ['{"a":', []],
];

describe("a monitor's input", () => {
  it.each(MEASURED)("%j is read as QEMU reads it, cut anywhere", (text, expected) => {
    expect(read(text)).toEqual(expected);
    expect(read(text, 1)).toEqual(expected);
  });

  it("never hangs and never throws, and cuts make no difference (300 random texts)", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const random = randomFrom(seed);
      const text = Array.from({ length: random.below(60) }, () =>
        random.pick(['{"a":', "}", "[", "]", ",", '"', "'", "\\", "1", "-", ".", "e", "true", "\xff", "\n", " ", "\x01", "\xc3\xa9", "{}"]),
      ).join("");
      expect(read(text, 1 + random.below(5)), `seed ${seed}`).toEqual(read(text));
    }
  });
});

describe("numbers", () => {
  it.each([
    ["18446744073709551615", "18446744073709551615"],
    ["-9223372036854775808", "-9223372036854775808"],
    ["18446744073709551616", "1.8446744073709552e+19"],
    ["1e29", "9.9999999999999991e+28"],
    ["0.1", "0.10000000000000001"],
    ["1.0", "1"],
    ["2.50", "2.5"],
    ["-0", "0"],
    ["1e400", "inf"],
    ["1e-7", "9.9999999999999995e-08"],
    ["0.0001", "0.0001"],
  ])("%s is echoed as %s (R19)", (text, echoed) => {
    expect(qemuNumber(text).digits).toBe(echoed);
  });
});

describe("formatJson", () => {
  it("is ASCII with upper-case escapes (R29)", () => {
    expect(formatJson(parseJson('"\\u00e9\\u0001\\u007f/\\ud83d\\ude00\\\\u00e9"'))).toBe(
      '"\\u00E9\\u0001\\u007F/\\uD83D\\uDE00\\\\u00e9"',
    );
  });

  it("prints empty things over two lines where pretty, as QEMU does", () => {
    expect(formatJson(parseJson('{"return": {}, "id": [1, []]}'), true)).toBe(
      '{\n    "return": {\n    },\n    "id": [\n        1,\n        [\n        ]\n    ]\n}',
    );
  });

  it("keeps plain values both ways", () => {
    const plain = { a: [1, -2.5, null, true, "x\u20ac"], b: {} };
    expect(toPlain(parseJson(formatJson(fromPlain(plain))))).toEqual(plain);
    expect(formatJson(fromPlain({ big: 2n ** 64n - 1n, none: undefined }))).toBe('{"big": 18446744073709551615}');
  });

  it("compares by meaning: order of members is none", () => {
    expect(canonical(parseJson('{"b": 1.0, "a": [2]}'))).toBe(canonical(parseJson('{"a": [2], "b": 1}')));
  });
});

describe("parseJson", () => {
  it.each(["{", "{} {}", "{} [", "", "{]"])("refuses %j", (text) => {
    expect(() => parseJson(text)).toThrow();
  });
});
