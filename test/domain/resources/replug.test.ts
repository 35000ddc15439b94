import { describe, expect, test } from "vitest";
import { factsOf, liveOf, planOf, slotOf, slotsOf } from "../../../scripts/lab/facts.ts";
import type { Live } from "../../../src/domain/facts/live.ts";
import { replugRisk } from "../../../src/domain/resources/replug.ts";

const emulated = (major: number, slots: Live["slots"]): Live => liveOf({ slots, tcg: true, version: { major, text: `${major}.2.0` } });
const plugged = (first: number) => slotOf(first, { plugged: true });
const ejected = (first: number) => slotOf(first, { ejected: true });

describe("plugging a vCPU again", () => {
  test("is safe where the hardware runs the guest", () => {
    const live = liveOf({ slots: [plugged(0), ejected(1)], tcg: false });
    expect(replugRisk([ejected(1)], live, { threads: 9 })).toEqual([]);
  });

  test("kills a QEMU before 10 that emulates", () => {
    const live = emulated(7, [plugged(0), ejected(1), slotOf(2), slotOf(3)]);
    expect(replugRisk([ejected(1)], live, {})).toEqual([
      {
        reason: "QEMU 7.2.0 with software emulation (TCG) dies when vCPU 1, unplugged before, is plugged again",
        instead: "restart the machine, or --force",
      },
    ]);
    expect(replugRisk([slotOf(2)], live, {})).toEqual([]);
  });

  test("kills it with two as well, in one sentence", () => {
    const live = emulated(7, [plugged(0), plugged(1), ejected(2), ejected(3)]);
    expect(replugRisk([ejected(2), ejected(3)], live, {})).toMatchObject([
      { reason: expect.stringContaining("vCPUs 2 and 3, unplugged before, are plugged again") as string },
    ]);
  });

  test("uses up threads in a later one: there are as many as it has room for", () => {
    const live = emulated(10, [plugged(0), plugged(1), ejected(2), slotOf(3)]);
    expect(replugRisk([ejected(2)], live, {})).toEqual([]);
    expect(replugRisk([ejected(2), slotOf(3)], live, {})).toMatchObject([
      { reason: expect.stringContaining("than it has room for (4, and 3 are used up)") as string },
    ]);
  });

  test("counts what was started, where it was counted", () => {
    const live = emulated(10, [plugged(0), plugged(1), ejected(2), slotOf(3)]);
    expect(replugRisk([ejected(2)], live, { threads: 4 })).toHaveLength(1);
    expect(replugRisk([ejected(2)], live, { threads: 3 })).toEqual([]);
    expect(replugRisk([ejected(2), slotOf(3)], live, { threads: 1 })).toHaveLength(1);
  });

  test("counts each vCPU of a core", () => {
    const live = { ...emulated(10, slotsOf(8, 4, 4)), maxVcpus: 8 };
    expect(replugRisk([slotOf(4, { count: 4 })], live, { threads: 4 })).toEqual([]);
    expect(replugRisk([slotOf(4, { count: 4 })], live, { threads: 5 })).toHaveLength(1);
  });
});

describe("a plan", () => {
  const worn = factsOf({ live: emulated(7, [plugged(0), plugged(1), ejected(2), slotOf(3)]) });

  test("refuses to risk the machine, unless forced", () => {
    expect(planOf({ resource: "vcpus", count: 3 }, "dynamic", worn).refusals).toHaveLength(1);
    expect(planOf({ resource: "vcpus", count: 3 }, "dynamic", worn, true)).toMatchObject({
      refusals: [],
      steps: [{ step: { kind: "plug" } }],
    });
  });

  test("knows beforehand that an unplug has no way back", () => {
    expect(planOf({ resource: "vcpus", count: 1 }, "dynamic", worn).steps[0]?.step).toMatchObject({
      noReturn: expect.stringContaining("dies when vCPU 1") as string,
    });
  });
});
