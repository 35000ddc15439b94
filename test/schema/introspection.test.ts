import { describe, expect, test } from "vitest";
import { nearest } from "../../src/nearest.ts";
import { readIntrospection } from "../../src/schema/introspection.ts";
import { recorded } from "./recorded.ts";

test("what QEMUs said of themselves is far below the bounds", () => {
  for (const { introspection } of recorded.values()) {
    const { commands, events, types } = introspection;
    expect(commands.size + events.size + types.size).toBeLessThan(2000);
    expect(commands.size).toBeGreaterThan(100);
  }
});

const array = (name: string, of: string) => ({ name, "meta-type": "array", "element-type": of });
const alternate = (name: string, ...of: string[]) => ({ name, "meta-type": "alternate", members: of.map((type) => ({ type })) });
const union = (name: string, ...of: string[]) => ({
  name,
  "meta-type": "object",
  members: [],
  tag: "t",
  variants: of.map((type) => ({ case: type, type })),
});

describe("a schema without an end is refused", () => {
  test.each<[string, readonly { readonly name: string; readonly "meta-type": string }[], RegExp]>([
    ["a list of itself", [array("[1]", "[1]")], /the type \[1\] is made of itself/],
    ["lists of each other", [array("a", "b"), array("b", "a")], /is made of itself/],
    ["an alternate of itself", [alternate("a", "a")], /is made of itself/],
    ["a variant of itself", [union("a", "b"), union("b", "a")], /is made of itself/],
    ["a long chain, last first", Array.from({ length: 40 }, (_, at) => array(String(40 - at), String(41 - at))), /levels deep/],
    ["a long chain, first first", Array.from({ length: 40 }, (_, at) => array(String(at), String(at + 1))), /levels deep/],
    ["very many entries", Array.from({ length: 100_000 }, (_, at) => array(String(at), "int")), /100000 entries/],
    [
      "an enumeration of very many values",
      [{ name: "e", "meta-type": "enum", values: Array.from({ length: 100_000 }, String) } as never],
      /e has 100000 parts/,
    ],
  ])("%s", (_, reply, why) => {
    expect(() => readIntrospection(reply)).toThrow(why);
    expect(() => readIntrospection(reply)).toThrow(expect.objectContaining({ code: "protocol" }));
  });

  test("but not a type that has itself as a member, nor one whose branches meet again", () => {
    const member = {
      name: "a",
      "meta-type": "object",
      members: [
        { name: "m", type: "a" },
        { name: "n", type: "[a]" },
      ],
    };
    const levels = Array.from({ length: 14 }, (_, at) => union(`u${at}`, ...Array.from({ length: 100 }, () => `u${at + 1}`)));
    expect(readIntrospection([member, array("[a]", "a"), ...levels]).types.size).toBe(16);
  });
});

test("a name of any length is compared quickly with what was typed", () => {
  const before = performance.now();
  expect(nearest("query-statu", ["x".repeat(3_000_000), "y".repeat(3_000_000), "query-status"])).toBe("query-status");
  expect(performance.now() - before).toBeLessThan(100);
});
