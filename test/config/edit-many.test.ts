import { expect, onTestFinished, test } from "vitest";
import { editJson } from "../../src/config/edit.ts";

/** How many patterns are matched from now on: whoever reads JSON here does it by them, some for each key. */
function countMatches(): () => number {
  const { exec } = RegExp.prototype;
  onTestFinished(() => void (RegExp.prototype.exec = exec));
  let count = 0;
  RegExp.prototype.exec = function (text) {
    count += 1;
    return exec.call(this, text);
  };
  return () => count;
}

test("a text with thousands of pins is read once for all edits, not once for each", () => {
  const vcpus = Array.from({ length: 2048 }, (_, vcpu) => String(vcpu));
  const withPins = (cpu: string): string => JSON.stringify({ vcpus: { pin: Object.fromEntries(vcpus.map((vcpu) => [vcpu, cpu])) } });
  const matches = countMatches();
  const text = editJson(
    withPins("0"),
    vcpus.map((vcpu) => ({ path: ["vcpus", "pin", vcpu], value: "1" })),
  );
  expect(matches() / vcpus.length).toBeLessThan(20);
  expect(text).toBe(withPins("1"));
});
