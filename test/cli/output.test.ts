import { describe, expect, test } from "vitest";
import { harmless } from "../../src/cli/harmless.ts";
import { painter, showSize, table, toJson, wrap } from "../../src/cli/output.ts";
import { Paper } from "./scene.ts";

describe("table", () => {
  test("aligns columns and leaves no blanks at the ends of lines", () => {
    expect(
      table(
        [
          ["a", "1", ""],
          ["long", "20", "why"],
        ],
        { header: ["name", "n", "why"], right: [1] },
      ),
    ).toBe("name   n  why\na      1\nlong  20  why\n");
  });

  test("is empty without rows and header", () => expect(table([])).toBe(""));

  test("colours do not count for the width", () => {
    const paint = painter(new Paper(80), {});
    expect(
      harmless(
        table(
          [
            [{ text: "ok", style: "green" }, "x"],
            ["wrong", "y"],
          ],
          { paint },
        ),
      ),
    ).toBe("\u001b[32mok\u001b[39m     x\nwrong  y\n");
  });

  test("the last column wraps under itself within the terminal", () => {
    expect(table([["memory", "one two three four five six seven eight"]], { columns: 48 })).toBe(
      "memory  one two three four five six seven eight\n",
    );
    expect(table([["memory", "one two three four five six seven eight nine"]], { columns: 48 })).toBe(
      "memory  one two three four five six seven eight\n        nine\n",
    );
  });

  test("where there is little room, it stands below its row", () => {
    expect(table([["max-memory", "xxxxx", "one two three four five six seven"]], { columns: 34 })).toBe(
      "max-memory  xxxxx\n    one two three four five six\n    seven\n",
    );
  });

  test("where there is no room for its columns, each row is a paragraph", () => {
    const rows = [
      ["memory", "static", "1GiB", "applied"],
      ["memory", "dynamic", "2GiB", "the guest is on its way"],
    ];
    const header = ["resource", "half", "actual", "outcome"];
    expect(table(rows, { header, titles: 2, columns: 30 })).toBe(
      "memory static\n  actual   1GiB\n  outcome  applied\nmemory dynamic\n  actual   2GiB\n  outcome  the guest is on its\n           way\n",
    );
    expect(table([["0", "a-long-word", "another-word"]], { header: ["vCPU", "thread", "name"], right: [0], columns: 20 })).toBe(
      "vCPU 0\n  thread  a-long-word\n  name    another-word\n",
    );
  });

  test("without a terminal nothing wraps", () => {
    const long = "word ".repeat(100).trim();
    expect(table([["a", long]])).toBe(`a  ${long}\n`);
  });
});

test.each([
  ["a b c", 3, ["a b", "c"]],
  ["longerthanroom x", 5, ["longerthanroom", "x"]],
  ["", 5, [""]],
  ["no such verb, did you mean setmem? or not", 26, ["no such verb,", "did you mean setmem? or", "not"]],
])("%j within %i", (text, room, lines) => expect(wrap(text, room)).toEqual(lines));

describe("colours", () => {
  const coloured = "\u001b[31mx\u001b[39m";
  test("on a terminal", () => expect(harmless(painter(new Paper(80), {})("x", "red"))).toBe(coloured));
  test("NO_COLOR that is empty does not count", () =>
    expect(harmless(painter(new Paper(80), { NO_COLOR: "" })("x", "red"))).toBe(coloured));
  test.each([{ NO_COLOR: "1" }, { TERM: "dumb" }])("none with %j", (env) => expect(painter(new Paper(80), env)("x", "red")).toBe("x"));
  test("none in a pipe", () => expect(painter(new Paper(), {})("x", "red")).toBe("x"));
});

test.each([
  [300 * 2 ** 20, "300MiB"],
  [2 ** 30, "1GiB"],
  [1536 * 2 ** 20, "1536MiB"],
  [432_652_288, "412.6MiB"],
  [4096, "4KiB"],
  [0, "0B"],
])("%i bytes are shown as %s", (bytes, text) => expect(showSize(bytes)).toBe(text));

describe("toJson", () => {
  test("one line", () => expect(toJson({ a: [1, "x"], b: null })).toBe('{"a":[1,"x"],"b":null}'));
  test("nothing is null", () => expect(toJson(undefined)).toBe("null"));
  test("integers beyond a double, exact and bare", () =>
    expect(toJson({ a: 18446744073709551615n, b: "1n" })).toBe('{"a":18446744073709551615,"b":"1n"}'));
});
