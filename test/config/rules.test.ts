import { expect, test } from "vitest";
import { brokenRules } from "../../src/config/rules.ts";

const withPin = (cpus: string): unknown => ({ memory: { max: "1GiB", current: "1GiB" }, vcpus: { max: 2, current: 1, pin: { 0: cpus } } });

test.each(["0-1,^0-1", "^0", "3,^3", "0-7,^0-3,^4-7", "5,^0-8191"])("a pin that leaves no CPU is refused when it is read: %s", (cpus) => {
  expect(brokenRules(withPin(cpus))).toEqual([{ path: "vcpus.pin.0", value: cpus, expected: "a Linux CPU list, as 0-3,8 or 0-7,^2" }]);
});

test.each(["0-1,^0", "^0,0-1", "0,1,^5", "0-8191,^0-8190"])("one that leaves a CPU is not: %s", (cpus) => {
  expect(brokenRules(withPin(cpus))).toEqual([]);
});
