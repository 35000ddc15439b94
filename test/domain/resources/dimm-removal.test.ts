import { expect, test } from "vitest";
import { deadlineIn } from "../../../src/deadline.ts";
import { untilGivenBack } from "../../../src/domain/resources/dimm-removal.ts";

/** What is mapped, look by look; the last figure stays. */
function looks(...figures: readonly (number | null)[]): { readonly mapped: () => Promise<number | null>; readonly count: () => number } {
  let at = 0;
  return { mapped: async () => figures[Math.min(at++, figures.length - 1)] ?? null, count: () => at };
}

test("a backend's memory is waited for until QEMU has unmapped it", async () => {
  const { mapped, count } = looks(500, 500, 372);
  await untilGivenBack(372, mapped, { by: deadlineIn(60_000) });
  expect(count()).toBe(3);
});

test("and not where QEMU is gone, or where the time is up", async () => {
  const gone = looks(null);
  await untilGivenBack(372, gone.mapped, { by: deadlineIn(60_000) });
  expect(gone.count()).toBe(1);
  const kept = looks(500);
  await untilGivenBack(372, kept.mapped, { by: deadlineIn(1) });
  expect(kept.count()).toBeGreaterThan(0);
});
