import { describe, expect, test } from "vitest";
import { harmless } from "../../../src/cli/harmless.ts";
import { bar, curve, type Line } from "../../../src/cli/top/drawing.ts";
import { keyOfRest, keysIn } from "../../../src/cli/top/keys.ts";
import { hasUnicode } from "../../../src/cli/top/live.ts";
import { Screen } from "../../../src/cli/top/screen.ts";
import { cut, shortPercent, shortSize, widthOf } from "../../../src/cli/top/text.ts";
import { Emulated } from "./emulated.ts";

test.each([
  ["plain", 5],
  ["日本", 4],
  ["e\u0301", 1],
  ["한글", 4],
  ["🚀", 2],
  ["ｆｕｌｌ", 8],
  ["→·█▁", 4],
])("%s takes %d columns", (text, width) => expect(widthOf(text)).toBe(width));

test.each([
  ["short", 10, "short"],
  ["exactly", 7, "exactly"],
  ["too long", 5, "too …"],
  ["日本語", 4, "日…"],
  ["\u001b[2J", 20, "\\u001b[2J"],
  ["x", 0, ""],
])("%j cut to %d is %j", (text, width, wanted) => expect(cut(text, width, "…")).toBe(wanted));

test("sizes and percents take five characters at most", () => {
  expect([0, 1023, 1024, 1536, 2 ** 20 * 999.9, 2 ** 30, 2 ** 30 * 1.55, 2 ** 40 * 12, null].map(shortSize)).toEqual([
    "0",
    "1.0K",
    "1K",
    "1.5K",
    "1.0G",
    "1G",
    "1.6G",
    "12T",
    "-",
  ]);
  for (let power = 0; power < 55; power += 0.1) expect(shortSize(Math.round(2 ** power)).length).toBeLessThanOrEqual(5);
  expect([0, 99.94, 100, 999.94, 999.95, 12_800, null].map(shortPercent)).toEqual(["0.0", "99.9", "100.0", "999.9", "1000", "12800", "-"]);
});

test("bars and curves, of blocks and of ASCII", () => {
  const [blocks, ascii] = [{ unicode: true }, { unicode: false }];
  expect([bar(0, 4, blocks), bar(0.54, 4, blocks), bar(1, 4, blocks), bar(7, 4, blocks), bar(-1, 4, blocks)]).toEqual([
    "····",
    "██▏·",
    "████",
    "████",
    "····",
  ]);
  expect([bar(0.5, 4, ascii), bar(1, 4, ascii)]).toEqual(["||..", "||||"]);
  expect(curve([0, 50, 100], 100, 5, blocks)).toBe("  ▁▅█");
  expect(curve([0, 50, 100, 900], 100, 3, ascii)).toBe("+##");
});

test("a screen sends what has changed, and no more; all of it in another size, or when it was forgotten", () => {
  const can = { columns: 10, rows: 3, unicode: true, colors: true };
  const screen = new Screen();
  const terminal = new Emulated(10, 3);
  const show = (...lines: readonly Line[]): number => {
    const sent = harmless(screen.update(lines, can));
    terminal.take(sent);
    return sent.length;
  };
  show([{ text: "one", look: "bold" }], [{ text: "2" }], [{ text: "0123456789" }]);
  expect(terminal.lines).toEqual(["one", "2", "0123456789"]);
  expect(show([{ text: "one", look: "bold" }], [{ text: "2" }], [{ text: "0123456789" }])).toBe(0);
  const sent = show([{ text: "one", look: "bold" }], [{ text: "" }], [{ text: "0123456789" }]);
  expect(terminal.lines).toEqual(["one", "", "0123456789"]);
  expect(sent).toBeLessThan(12);
  screen.forget();
  expect(show([{ text: "one" }], [{ text: "" }], [{ text: "9" }])).toBeGreaterThan(20);
  expect(terminal.lines).toEqual(["one", "", "9"]);
  expect(screen.update([[{ text: "x", look: "red" }]], { ...can, colors: false })).not.toContain("[31m");
});

describe("keys", () => {
  test.each([
    ["a", ["a"]],
    ["\u001b[A\u001bOB", ["up", "down"]],
    ["\u001b[5~\u001b[6~\r", ["pageup", "pagedown", "enter"]],
    ["\u001b[H\u001b[4~", ["home", "end"]],
    ["/日🚀\u007f", ["/", "日", "🚀", "backspace"]],
    ["\u001a\u0003\u000c", ["^Z", "^C", "^L"]],
    // Keys that are none here, and reports that nobody asked for.
    ["\u001b[15~\u001b[1;5A\u001b[I\u0001q", ["q"]],
  ])("%j", (text, keys) => expect(keysIn(text)).toEqual({ keys, begun: "" }));

  test("a sequence that comes in pieces waits for its end", () => {
    expect(keysIn("q\u001b")).toEqual({ keys: ["q"], begun: "\u001b" });
    expect(keysIn("\u001b[")).toEqual({ keys: [], begun: "\u001b[" });
    expect(keysIn("\u001b[5")).toEqual({ keys: [], begun: "\u001b[5" });
    expect(keyOfRest("\u001b")).toEqual(["escape"]);
    expect(keyOfRest("")).toEqual([]);
  });
});

test("block characters are for a locale of UTF-8, and not for the Linux console", () => {
  expect(hasUnicode({ LANG: "C.UTF-8" })).toBe(true);
  expect(hasUnicode({ LANG: "de_DE.utf8", LC_ALL: "C" })).toBe(false);
  expect(hasUnicode({ LC_CTYPE: "en_GB.UTF-8", LANG: "C" })).toBe(true);
  expect(hasUnicode({ LANG: "C.UTF-8", TERM: "linux" })).toBe(false);
  expect(hasUnicode({})).toBe(false);
});
