import { expect, test, vi } from "vitest";
import { editJson } from "../../src/config/edit.ts";
import { parseJson } from "../../src/config/json.ts";

vi.mock("../../src/config/json.ts", { spy: true });

test("a text with thousands of pins is read once for all edits, not once for each", () => {
  const vcpus = Array.from({ length: 4096 }, (_, vcpu) => String(vcpu));
  const withPins = (cpu: string): string => JSON.stringify({ vcpus: { pin: Object.fromEntries(vcpus.map((vcpu) => [vcpu, cpu])) } });
  expect(editJson(withPins("0"), vcpus.map((vcpu) => ({ path: ["vcpus", "pin", vcpu], value: "1" })))).toBe(withPins("1"));
  expect(parseJson).toHaveBeenCalledTimes(1);
});
