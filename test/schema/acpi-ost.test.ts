import { expect, test } from "vitest";
import { ejectReport, refusalReason } from "../../src/schema/acpi-ost.ts";

test.each([
  [3, 0, "done"],
  [3, 131, "under way"],
  [3, 132, "under way"],
  [3, 1, "refused"],
  [3, 128, "refused"],
  // A device check, and an ejection that the guest itself began: no answer to a request to let go.
  [1, 0, undefined],
  [259, 1, undefined],
])("_OST source %i, status %i: %s", (source, status, report) => {
  expect(ejectReport({ source, status })).toBe(report);
});

test("a refusal is told in words, also with a status that ACPI does not name", () => {
  expect(refusalReason(129)).toBe("the device is busy");
  expect(refusalReason(77)).toBe("no reason given");
});
