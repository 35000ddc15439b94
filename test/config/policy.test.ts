import { expect, test } from "vitest";
import { isRealtime, policyOf, priorityOf } from "../../src/config/policy.ts";

test.each([
  ["other", "other"],
  ["other:0", "other"],
  ["batch", "batch"],
  ["idle:00", "idle"],
  ["fifo:1", "fifo:1"],
  ["rr:09", "rr:9"],
  ["fifo:99", "fifo:99"],
])("%s is the policy %s", (text, policy) => expect(policyOf(text)).toBe(policy));

test.each(["", "fifo", "fifo:0", "fifo:100", "rr:-1", "other:1", "batch:5", "FIFO:1", "fifo:1 ", "deadline", "fifo:1:2", "constructor"])(
  "%j is none",
  (text) => expect(policyOf(text)).toBeUndefined(),
);

test("the real-time ones have a priority", () => {
  expect(["fifo:3", "rr", "batch", "other"].map((each) => isRealtime(each))).toEqual([true, true, false, false]);
  expect(["fifo:3", "batch"].map(priorityOf)).toEqual([3, 0]);
});
