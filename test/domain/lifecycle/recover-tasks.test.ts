import { expect, test } from "vitest";
import { openFake } from "../../../scripts/faults/fake-rig.ts";
import type { Outcome } from "../../../scripts/faults/run.ts";
import { taskCases, tryCases } from "../../../scripts/faults/task-matrix.ts";

/** Where our process is killed: first resolved by --finish, then by --undo. All of it: npm run faults -- --fake. */
const KILLED: readonly (readonly (readonly [task: string, point: string])[])[] = [
  [
    // An iothread came, and has neither its pin nor its policy yet.
    ["coming", "iothread add"],
    // A worker had a mask and a policy of its own, and has those of all.
    ["threads", "emulator-sched"],
  ],
  [
    // A vCPU came, and has neither its pin nor its policy yet.
    ["chosen vCPUs", "vCPU plug"],
    // An iothread with a mask, a policy and settings that no config has is gone.
    ["leaving", "iothread del"],
  ],
];

test.each(KILLED)(
  "P8: what a killed writer left at %j is finished, and at %j is taken back, to the last thread",
  async (...killed) => {
    const outcomes: Outcome[] = [];
    const cases = killed.flatMap(([task, point]) =>
      taskCases().filter(
        (each) => each.task.name === task && each.point.name === point && each.fault.name === "our process killed" && each.when === "after",
      ),
    );
    await tryCases(cases, openFake, (outcome) => outcomes.push(outcome));
    expect(outcomes.map(({ result, why }) => [result, why])).toEqual(killed.map(() => ["held", undefined]));
    // Seconds where nobody else is at work: a loaded host needs many more.
  },
  120_000,
);
