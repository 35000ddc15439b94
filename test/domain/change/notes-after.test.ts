import { describe, expect, test } from "vitest";
import { factsOf, liveOf, MIB, slotOf, slotsOf } from "../../../scripts/lab/facts.ts";
import type { StepRecord } from "../../../src/domain/change/apply.ts";
import { notesAfter } from "../../../src/domain/change/notes-after.ts";
import type { MachineNotes } from "../../../src/domain/facts/notes.ts";
import { StayError } from "../../../src/domain/resources/guest-refusals.ts";
import type { BalloonStep, PlugStep, Step, UnplugStep } from "../../../src/domain/resources/step.ts";
import { CommandError } from "../../../src/qmp/errors.ts";

const balloon: BalloonStep = { kind: "balloon", target: 300 * MIB, before: 512 * MIB, actual: 512 * MIB };
const plug: PlugStep = { kind: "plug", slot: slotOf(2), id: "vcpu2" };
const unplug: UnplugStep = {
  kind: "unplug",
  slots: [3, 2].map((first) => ({ slot: slotOf(first, { plugged: true }), device: `vcpu${first}` })),
  from: 4,
  to: 2,
  noReturn: null,
};
const no = new CommandError("x", { class: "GenericError", desc: "no" });

function after(
  step: Step,
  outcome: StepRecord["outcome"],
  { asked = {}, ...more }: { asked?: MachineNotes } & Pick<StepRecord, "cause" | "back"> = {},
): MachineNotes {
  return notesAfter(factsOf({ asked, live: liveOf({ slots: slotsOf(4, 4) }) }), [{ step, change: 0, outcome, ...more }]);
}

describe("what a machine has been asked for", () => {
  test("is the balloon's target, whether or not the guest got there", () => {
    for (const outcome of ["done", "pending", "failed", "undo-failed"] as const)
      expect(after(balloon, outcome)).toEqual({ balloon: 300 * MIB });
    expect(after(balloon, "undone")).toEqual({ balloon: 512 * MIB });
  });

  test("has no doubt left about the balloon once QEMU has taken a target", () => {
    const asked = { balloon: 1, balloonOr: 2, threads: 3 };
    expect(after(balloon, "pending", { asked })).toEqual({ balloon: 300 * MIB, threads: 3 });
    expect(after(balloon, "undone", { asked })).toEqual({ balloon: 512 * MIB, threads: 3 });
    expect(after(balloon, "failed", { asked, cause: no })).toEqual(asked);
    expect(after(plug, "done", { asked })).toEqual({ ...asked, threads: 4 });
  });

  test("is not what QEMU refused", () => {
    for (const outcome of ["failed", "undone", "undo-failed"] as const) {
      expect(after(balloon, outcome, { asked: { balloon: 1 }, cause: no })).toEqual({ balloon: 1 });
      expect(after(plug, outcome, { asked: { threads: 2 }, cause: no })).toEqual({ threads: 2 });
    }
  });

  test("is nothing new where nothing was begun", () => {
    for (const outcome of ["planned", "skipped"] as const)
      for (const step of [balloon, plug, unplug]) expect(after(step, outcome, { asked: { threads: 2 } })).toEqual({ threads: 2 });
  });

  test("counts each thread that a plug has used up, also when it is unplugged again", () => {
    expect(after(plug, "done", { asked: { threads: 2 } })).toEqual({ threads: 3 });
    expect(after(plug, "undone", { asked: { threads: 2 }, back: [unplug] })).toEqual({ threads: 3 });
    expect(after(plug, "undone", { asked: { threads: 2 }, back: [] })).toEqual({ threads: 2 });
    expect(after(plug, "done")).toEqual({});
  });

  test("is the vCPUs that the guest may still let go of", () => {
    expect(after(unplug, "pending", { asked: { unplug: [1] } })).toEqual({ unplug: [1, 3, 2] });
    expect(after(unplug, "done", { asked: { unplug: [3, 1] } })).toEqual({ unplug: [1] });
    expect(after(unplug, "undo-failed")).toEqual({ unplug: [3, 2] });
  });

  test("is not those that somebody refused to let go of", () => {
    expect(after(unplug, "failed", { cause: new StayError("the guest refused", [3]) })).toEqual({ unplug: [2] });
    expect(after(unplug, "undone", { asked: { threads: 4 }, cause: new StayError("the guest refused", [3, 2]), back: [] })).toEqual({
      threads: 4,
      unplug: [],
    });
  });

  test("is not one that was plugged back, which has used up another thread", () => {
    expect(after(unplug, "undone", { asked: { threads: 4 }, back: [plug] })).toEqual({ threads: 5, unplug: [] });
    expect(after(unplug, "undo-failed", { asked: { threads: 4 }, back: [plug] })).toEqual({ threads: 5, unplug: [3] });
  });

  test("is over for a vCPU that has left since, so that it can be plugged again", () => {
    expect(notesAfter(factsOf({ asked: { unplug: [1, 2, 3] } }), [])).toEqual({ unplug: [1] });
  });

  test("adds up over several steps", () => {
    const records = [balloon, plug].map((step): StepRecord => ({ step, change: 0, outcome: "done" }));
    expect(notesAfter(factsOf({ asked: { threads: 2 } }), records)).toEqual({ threads: 3, balloon: 300 * MIB });
  });
});
