import { describe, expect, test } from "vitest";
import { checkWeight, formatQuota, isQuota, parseQuota } from "../../src/config/quota.ts";
import { UsageError } from "../../src/errors.ts";

describe("a quota", () => {
  test.each([
    ["150%", 150, "150%"],
    ["12.5%", 12.5, "12.5%"],
    ["0100.10%", 100.1, "100.1%"],
    ["1%", 1, "1%"],
    ["none", null, "none"],
  ])("%s is %s", (text, percent, shortest) => {
    expect(parseQuota(text)).toBe(percent);
    expect(formatQuota(percent)).toBe(shortest);
    expect(isQuota(text)).toBe(true);
  });

  test.each(["0%", "0.99%", "1000001%", "150 %", "-5%", "1.234%", "", "%", "all", "1e3%", "NaN%", "150%\n"])("%j is none", (text) => {
    expect(isQuota(text)).toBe(false);
    expect(() => parseQuota(text)).toThrow(UsageError);
  });

  test("without a unit is refused, with both meanings", () => {
    expect(() => parseQuota("150")).toThrow("it has two meanings without a unit: 150% of one CPU, or 150 microseconds");
  });
});

test.each([0, -1, 1.5, 10_001, Number.NaN])("%s is no weight", (weight) => expect(() => checkWeight(weight)).toThrow(UsageError));
test.each([1, 100, 10_000])("%s is a weight", (weight) => expect(() => checkWeight(weight)).not.toThrow());
