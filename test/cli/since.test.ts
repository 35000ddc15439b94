import { expect, test } from "vitest";
import { parseSince } from "../../src/cli/since.ts";

const NOW = new Date(2026, 10, 26, 21, 40).getTime();
const at = (...[month, day, hour, minute]: readonly [number, number, number, number]): number =>
  new Date(2026, month - 1, day, hour, minute).getTime();
const HOUR = 3_600_000;

test.each([
  ["2h", 2 * HOUR],
  ["5min", HOUR / 12],
  ["7d", 168 * HOUR],
  ["1d 12h", 36 * HOUR],
  ["5 minutes ago", HOUR / 12],
  ["90", 90_000],
  ["500ms", 500],
  ["99999d", 99_999 * 24 * HOUR],
])("since %j is %i ms", (text, age) => expect(parseSince(text, NOW)).toBe(age));

test.each([
  ["21:39", at(11, 26, 21, 39)],
  ["07:00", at(11, 26, 7, 0)],
  ["21:41", at(11, 25, 21, 41)],
  ["today", at(11, 26, 0, 0)],
  ["yesterday", at(11, 25, 0, 0)],
  ["2026-11-20", at(11, 20, 0, 0)],
  ["2026-11-20 08:15", at(11, 20, 8, 15)],
])("since %j is that moment", (text, moment) => expect(NOW - parseSince(text, NOW)).toBe(moment));

test.each(["", "0s", "tomorrow", "2026-11-27", "2026-02-30", "25:00", "2026-11-26 21:41", "-5min", "ago"])(
  "since %j is refused, with what would be right",
  (text) => {
    expect(() => parseSince(text, NOW)).toThrow(
      expect.objectContaining({ code: "usage", message: expect.stringMatching(/^--since ".*": .*such as 30min, 8h or 7d/s) as string }),
    );
  },
);
