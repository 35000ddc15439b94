import { describe, expect, test } from "vitest";
import { parseDuration, showDuration } from "../../src/cli/duration.ts";

describe("parseDuration", () => {
  test.each([
    ["30", 30_000],
    ["30s", 30_000],
    ["500ms", 500],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1.5", 1500],
    ["0.25s", 250],
    // As --for reads them, and as showDuration writes them.
    ["5min", 300_000],
    ["1h30min", 5_400_000],
    ["1h 30min", 5_400_000],
    ["2 min 5 s", 125_000],
    ["90 seconds", 90_000],
    ["1d", 86_400_000],
    ["1d 12h", 129_600_000],
    ["1 day 1 h", 90_000_000],
  ])("%s is %i ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  test.each([
    "",
    "0",
    "0ms",
    "0.4ms",
    "-1",
    "s",
    "1e3",
    " 1",
    "5x",
    "5 min ago",
    "1h 30",
    "min",
    "25d",
    "5minutesx",
    "2147483648ms",
    "99999h",
  ])("%j is refused", (text) => {
    expect(() => parseDuration(text)).toThrow(
      expect.objectContaining({ code: "usage", value: text, message: expect.stringContaining(JSON.stringify(text)) as string }),
    );
  });
});

test.each([
  [0, "0 ms"],
  [999.4, "999 ms"],
  [1000, "1 s"],
  [1290, "1.2 s"],
  [59_999, "59.9 s"],
  [60_000, "1 min"],
  [125_000, "2 min 5 s"],
  [3_600_000, "1 h"],
  [11_000_000, "3 h 3 min"],
  [90_000_000, "1 day 1 h"],
  [172_800_000, "2 days"],
])("%i ms are shown as %s", (ms, text) => expect(showDuration(ms)).toBe(text));
