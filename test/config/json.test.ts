import { describe, expect, test } from "vitest";
import { fractionsFrom } from "../../scripts/lab/fractions.ts";
import { type JsonNode, JsonTextError, parseJson, valueOf } from "../../src/config/json.ts";
import { randomText, randomValue } from "./random-json.ts";

describe("parseJson", () => {
  test("reads what JSON.parse reads, to the same value", () => {
    for (let seed = 0; seed < 2000; seed++) {
      const random = fractionsFrom(seed);
      const text = randomText(random, randomValue(random, 4));
      expect(valueOf(parseJson(text)), `seed ${seed}: ${text}`).toStrictEqual(JSON.parse(text));
    }
  });

  test("refuses what JSON.parse refuses, when one character of a text is changed", () => {
    for (let seed = 0; seed < 3000; seed++) {
      const random = fractionsFrom(seed);
      const text = randomText(random, randomValue(random, 3));
      const at = Math.floor(random() * text.length);
      const damaged = text.slice(0, at) + ('{}[]",:x0\\\u0001-. '[Math.floor(random() * 15)] ?? "") + text.slice(at + 1);
      const ours = outcome(() => valueOf(parseJson(damaged)));
      // Where the damage made two keys the same, JSON.parse is the one that doesn't mind.
      if (!/second time/.test(String(ours.refused)))
        expect(ours.value, `seed ${seed}: ${damaged}`).toStrictEqual(outcome(() => JSON.parse(damaged)).value);
    }
  });

  test("tells where each value stands", () => {
    const text = '\uFEFF { "a" : [ 1, "b" ] }';
    const node = parseJson(text) as JsonNode & { kind: "object" };
    const value = node.members[0]?.value;
    expect(text.slice(value?.start, value?.end)).toBe('[ 1, "b" ]');
    expect(text.slice(node.start, node.end)).toBe('{ "a" : [ 1, "b" ] }');
  });

  test.each([
    ['{"a":1,\n "a":2}', 'line 2, column 2: the key "a" stands here a second time'],
    ['{"a":1,\n "\\u0061":2}', 'line 2, column 2: the key "a" stands here a second time'],
    ["", "line 1, column 1: the text ends too early"],
    ['{"a":1,}', "line 1, column 8: a key in double quotes is expected"],
    ['{"a" 1}', 'line 1, column 6: ":" is expected after a key'],
    ["[1 2]", 'line 1, column 4: "," or "]" is expected'],
    ["{} {}", "line 1, column 4: the text goes on after its end"],
    ["// no\n{}", "line 1, column 1: no JSON value stands here"],
    ["[".repeat(1_000_000), "line 1, column 65: nested deeper than 64"],
  ])("refuses what stands wrong: %#", (text, message) => {
    expect(() => parseJson(text)).toThrow(JsonTextError);
    expect(() => parseJson(text)).toThrow(message);
  });

  test("makes __proto__ a key like any other", () => {
    const value = valueOf(parseJson('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

function outcome(read: () => unknown): { readonly value?: unknown; readonly refused?: unknown } {
  try {
    return { value: read() };
  } catch (refused) {
    return { refused };
  }
}
