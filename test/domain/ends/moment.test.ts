import { afterEach, describe, expect, test, vi } from "vitest";
import { type EndWish, fixed, momentOf } from "../../../src/domain/ends/moment.ts";
import { showMoment } from "../../../src/domain/ends/show-moment.ts";
import { UsageError } from "../../../src/errors.ts";

afterEach(() => vi.unstubAllEnvs());

/** The moment of a wish, in UTC, by a clock in a zone. */
function moment(wish: EndWish, now: string, zone = "UTC"): string {
  vi.stubEnv("TZ", zone);
  const from = Date.parse(now);
  return new Date(momentOf(wish, from)(from)).toISOString().replace(".000", "");
}

const NOON = "2026-11-26T12:00:00Z";

test.each([
  ["90s", 90],
  ["30min", 1800],
  ["30m", 1800],
  ["8h", 28_800],
  ["1d", 86_400],
  ["1d 12h", 129_600],
  ["1h30min", 5400],
  ["1.5h", 5400],
  ["2 weeks", 1_209_600],
  [60_000, 60],
])("for %s is %i seconds, as systemd reads it", (wanted, seconds) => {
  expect(Date.parse(moment({ for: wanted }, NOON)) - Date.parse(NOON)).toBe(seconds * 1000);
});

test.each(["8", "", "h", "0s", "9s", "-1h", "1x", "8 hours later", "367d", "1h;reboot", "NaNs", "1y", "1month", 0, NaN, Infinity, -5])(
  "for %j is refused, with the value",
  (wanted) => {
    const failed = (): unknown => moment({ for: wanted }, NOON);
    expect(failed).toThrow(UsageError);
    expect(failed).toThrow(JSON.stringify(wanted));
  },
);

describe("until", () => {
  test.each([
    ["07:00", NOON, "UTC", "2026-11-27T07:00:00Z"],
    ["13:30", NOON, "UTC", "2026-11-26T13:30:00Z"],
    ["12:00", NOON, "UTC", "2026-11-27T12:00:00Z"],
    ["7:05:30", NOON, "UTC", "2026-11-27T07:05:30Z"],
    ["07:00", NOON, "Europe/Berlin", "2026-11-27T06:00:00Z"],
    ["13:30", NOON, "Europe/Berlin", "2026-11-26T12:30:00Z"],
    ["07:00Z", "2026-11-26T23:30:00Z", "Asia/Tokyo", "2026-11-27T07:00:00Z"],
    ["07:00+09:00", NOON, "UTC", "2026-11-26T22:00:00Z"],
    ["07:00+14:00", NOON, "UTC", "2026-11-26T17:00:00Z"],
    ["07:00-1200", NOON, "UTC", "2026-11-26T19:00:00Z"],
    ["2026-12-01 07:00", NOON, "Europe/Berlin", "2026-12-01T06:00:00Z"],
    ["2026-12-01T07:00:15", NOON, "UTC", "2026-12-01T07:00:15Z"],
    ["2026-12-01T07:00+01:00", NOON, "America/New_York", "2026-12-01T06:00:00Z"],
    ["2026-12-01T06:00:00.000Z", NOON, "Asia/Tokyo", "2026-12-01T06:00:00Z"],
    // The night in which summer time begins has no 02:30, and the one in which it ends has two.
    ["02:30", "2026-03-28T22:00:00Z", "Europe/Berlin", "2026-03-29T01:30:00Z"],
    ["02:30", "2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25T00:30:00Z"],
    ["02:30", "2026-10-25T00:40:00Z", "Europe/Berlin", "2026-10-25T01:30:00Z"],
    ["02:30", "2026-10-25T01:40:00Z", "Europe/Berlin", "2026-10-26T01:30:00Z"],
    ["07:00", "2026-10-24T22:00:00Z", "Europe/Berlin", "2026-10-25T06:00:00Z"],
  ])("%s, at %s in %s, is %s", (until, now, zone, expected) => {
    expect(moment({ until }, now, zone)).toBe(expected);
  });

  test.each([
    "25:00",
    "07:60",
    "7",
    "tomorrow",
    "2026-02-30 07:00",
    "2026-13-01 07:00",
    "2026-11-26 11:59",
    "2028-01-01 00:00",
    "",
    "07:00 $(id)",
    "2026-12-01T07:00+99:99",
    "07:00+24:00",
    "07:00-13:00",
    "07:00+05:75",
  ])("%j is refused, with the value", (until) => {
    const failed = (): unknown => moment({ until }, NOON);
    expect(failed).toThrow(UsageError);
    expect(failed).toThrow(JSON.stringify(until));
  });
});

test("only one of both can be given", () => {
  expect(() => moment({ for: "8h", until: "07:00" }, NOON)).toThrow(/only one/);
});

test("a time of day is fixed when it is asked for: whoever waits past it does not get the next day's", () => {
  vi.stubEnv("TZ", "UTC");
  const asked = Date.parse("2026-11-26T06:59:50Z");
  const wish = fixed({ until: "07:00" }, asked);
  expect(wish).toEqual({ until: "2026-11-26T07:00:00.000Z" });
  expect(() => momentOf(wish, asked + 60_000)).toThrow(/it is over/);
});

test.each([
  ["UTC", "2026-11-27 06:00 UTC"],
  ["Europe/Berlin", "2026-11-27 07:00 +01:00"],
  ["America/St_Johns", "2026-11-27 02:30 -03:30"],
])("a moment is shown with its zone: %s", (zone, shown) => {
  vi.stubEnv("TZ", zone);
  expect(showMoment("2026-11-27T06:00:00Z")).toBe(shown);
});
