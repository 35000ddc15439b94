import { describe, expect, test } from "vitest";
import { configOf, factsOf, GIB, liveOf, MIB, planOf, slotsOf, stoppedFacts, vcpusIn } from "../../../scripts/lab/facts.ts";
import type { StepRecord } from "../../../src/domain/change/apply.ts";
import type { Ending } from "../../../src/domain/change/ending.ts";
import { reportOf } from "../../../src/domain/change/report.ts";
import type { Facts } from "../../../src/domain/facts/facts.ts";
import type { Scope } from "../../../src/domain/model/change.ts";
import { DiedError } from "../../../src/domain/model/errors.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";

const memory: Change = { resource: "memory", size: 300 * MIB };
const vcpus: Change = { resource: "vcpus", count: 3 };
const fewer: Change = { resource: "vcpus", count: 1 };

interface Story {
  readonly scope?: Scope;
  readonly facts?: Facts;
  /** How each planned step ended, in order. */
  readonly steps?: readonly StepRecord["outcome"][];
  readonly ending?: Partial<Ending>;
}

/** The report of a change whose steps ended so. */
function told(changes: readonly Change[], { scope = "both", facts = factsOf(), steps = [], ending = {} }: Story = {}) {
  const planned = planOf(changes, scope, facts);
  const records = planned.steps.map((step, position) => ({ ...step, outcome: steps[position] ?? "done" }));
  const config = { path: "/etc/qmpctl/web1.json", before: "old", after: "new" };
  return reportOf({
    name: "web1",
    scope,
    facts,
    plan: planned,
    records,
    after: facts,
    committed: true,
    failure: null,
    dryRun: false,
    notes: [],
    config,
    elapsed: 7,
    ...ending,
  });
}

const failed = { committed: false, failure: "somebody else changed it since it was read" };

describe("a report", () => {
  test("P1: has both halves with before, wanted and what it is now", () => {
    const after = {
      config: configOf({ memory: { current: 300 * MIB } }),
      live: liveOf({ memory: { size: 2 * GIB, actual: 310 * MIB, balloon: "/b", guest: null } }),
    };
    expect(told([memory], { steps: ["pending"], ending: { after } })).toMatchObject({
      domain: "web1",
      scope: "both",
      state: "running",
      elapsed: 7,
      changes: [
        {
          change: memory,
          static: { outcome: "applied", before: GIB, wanted: 300 * MIB, actual: 300 * MIB },
          dynamic: { outcome: "pending", before: GIB, wanted: 300 * MIB, actual: 310 * MIB },
        },
      ],
    });
  });

  test("shows a half that is out of scope, with nothing wanted of it", () => {
    const { changes } = told([memory], { scope: "static" });
    expect(changes[0]?.dynamic).toEqual({ outcome: "skipped", before: GIB, wanted: null, actual: GIB });
  });

  test("knows nothing of a machine that can't be read any more", () => {
    const { changes } = told([memory], {
      scope: "dynamic",
      steps: ["undo-failed"],
      ending: { ...failed, after: { config: null, live: null } },
    });
    expect(changes[0]).toMatchObject({ static: { actual: null }, dynamic: { outcome: "failed", actual: null } });
  });

  test("shows each step, how it is taken back, and why it ended so", () => {
    const facts = factsOf();
    const planned = planOf([memory], "dynamic", facts);
    const records = planned.steps.map((step) => ({ ...step, outcome: "pending" as const, reason: "the guest is paused" }));
    const { steps } = told([memory], { scope: "dynamic", ending: { records, plan: planned } });
    expect(steps).toEqual([
      {
        what: "balloon to 300MiB",
        sends: `balloon {"value":${300 * MIB}}`,
        undo: `balloon {"value":${GIB}}`,
        outcome: "pending",
        reason: "the guest is paused",
      },
    ]);
  });

  test("has the config's texts where they were written or would be, not where they never will", () => {
    expect(told([memory]).config).toMatchObject({ before: "old", after: "new" });
    expect(told([memory], { ending: { dryRun: true, committed: false } }).config).toMatchObject({ after: "new" });
    expect(told([memory], { steps: ["undone"], ending: failed }).config).toBeUndefined();
  });
});

describe("the outcome of the whole", () => {
  const outcome = (story: Story, changes: readonly Change[] = [memory]): readonly string[] => {
    const report = told(changes, story);
    return [report.outcome, ...report.changes.flatMap((it) => [it.static.outcome, it.dynamic.outcome])];
  };

  test("is applied when both halves are", () => {
    expect(outcome({})).toEqual(["applied", "applied", "applied"]);
    expect(outcome({ scope: "dynamic" })).toEqual(["applied", "skipped", "applied"]);
    expect(outcome({ scope: "current", facts: stoppedFacts() })).toEqual(["applied", "applied", "skipped"]);
  });

  test("is unchanged when nothing had to be done", () => {
    expect(outcome({ ending: { committed: false } }, [{ resource: "memory", size: GIB }])).toEqual(["unchanged", "unchanged", "unchanged"]);
    expect(outcome({ ending: { committed: false } }, [])).toEqual(["unchanged"]);
  });

  test("is applied when one half was so already", () => {
    const facts = factsOf({ config: configOf({ memory: { current: 300 * MIB } }) });
    expect(outcome({ facts, ending: { committed: false } })).toEqual(["applied", "unchanged", "applied"]);
  });

  test("is pending while the guest is at it, also when the config is written", () => {
    expect(outcome({ steps: ["pending"] })).toEqual(["pending", "applied", "pending"]);
    expect(outcome({ steps: ["done", "pending"] }, [memory, vcpus])).toEqual(["pending", "applied", "pending", "applied", "applied"]);
  });

  test("is rolled back when all is as it was", () => {
    expect(outcome({ steps: ["undone"], ending: failed })).toEqual(["rolled-back", "rolled-back", "rolled-back"]);
    expect(outcome({ steps: ["undone", "skipped"], ending: failed }, [memory, vcpus])).toEqual([
      "rolled-back",
      "rolled-back",
      "skipped",
      "rolled-back",
      "rolled-back",
    ]);
  });

  test("is rolled back when nothing was begun: the disk was full, or it was interrupted", () => {
    expect(outcome({ steps: ["skipped"], ending: failed })).toEqual(["rolled-back", "rolled-back", "skipped"]);
    expect(outcome({ scope: "dynamic", steps: ["skipped"], ending: failed })).toEqual(["rolled-back", "skipped", "skipped"]);
    expect(outcome({ scope: "static", ending: failed })).toEqual(["rolled-back", "rolled-back", "skipped"]);
  });

  test.each(["failed", "undo-failed"] as const)("is failed when a step stays %s", (end) => {
    expect(outcome({ steps: [end], ending: failed })).toEqual(["failed", "rolled-back", "failed"]);
  });

  test.each(["done", "pending"] as const)("is failed when what was %s is kept while the rest failed", (end) => {
    expect(outcome({ steps: [end], ending: failed })[0]).toBe("failed");
  });

  test("is planned in a dry run, with both halves left alone", () => {
    expect(outcome({ steps: ["planned"], ending: { dryRun: true, committed: false } })).toEqual(["planned", "skipped", "skipped"]);
  });

  test("is refused when there is a reason, dry run or not", () => {
    const far: readonly Change[] = [{ resource: "memory", size: 8 * GIB }];
    for (const dryRun of [false, true])
      expect(outcome({ ending: { dryRun, committed: false } }, far)).toEqual(["refused", "skipped", "skipped"]);
  });
});

describe("the commands at the end of a report", () => {
  const next = (changes: readonly Change[], story: Story): readonly (string | undefined)[] => {
    const { finish, takeBack } = told(changes, story);
    return [finish, takeBack];
  };

  test("are none where nothing is left to do", () => {
    expect([
      next([memory], {}),
      next([memory], { steps: ["undone"], ending: failed }),
      next([memory], { ending: { dryRun: true } }),
    ]).toEqual(Array(3).fill([undefined, undefined]));
  });

  test("of what the guest has yet to do ask again for the live half", () => {
    expect(next([memory], { scope: "dynamic", steps: ["pending"] })).toEqual([
      "qmpctl setmem web1 300MiB --dynamic",
      "qmpctl setmem web1 1GiB --dynamic",
    ]);
  });

  test("take back also what was applied, where somebody asks for it, and promise nothing that can't be", () => {
    const ending = { tellsTakeBack: true };
    expect(next([memory], { ending })).toEqual([undefined, "qmpctl setmem web1 1GiB --static --dynamic"]);
    expect(next([memory], { steps: ["undone"], ending: { ...failed, ...ending } })).toEqual([undefined, undefined]);
    expect(next([memory], { ending: { ...ending, dryRun: true, committed: false } })).toEqual([undefined, undefined]);
    expect(next([fewer], { scope: "dynamic", ending: { ...ending, committed: false } })[0]).toBeUndefined();
  });

  test("take back both halves of a change of both", () => {
    expect(next([memory], { steps: ["pending"] })).toEqual([
      "qmpctl setmem web1 300MiB --dynamic",
      "qmpctl setmem web1 1GiB --static --dynamic",
    ]);
    const facts = factsOf({ config: configOf({ memory: { current: 2 * GIB } }) });
    expect(next([memory], { facts, steps: ["pending"] })[1]).toBe("qmpctl setmem web1 1GiB --dynamic && qmpctl setmem web1 2GiB --static");
  });

  test("take a config whose vCPUs have a gap back to those vCPUs, and not to as many", () => {
    const config = configOf({ vcpus: { current: 2, online: "0,3" } });
    const facts = factsOf({ config });
    expect(next([vcpus], { facts, steps: ["pending"] })[1]).toBe(
      "qmpctl setvcpus web1 2 --dynamic && qmpctl setvcpu web1 0,3 --only --static",
    );
  });

  test("are not there for threads that differed: no command gives each what it had", () => {
    const live = liveOf({
      ownThreads: [
        { tid: 4000, affinity: "0-3", policy: "other" },
        { tid: 4007, affinity: "2", policy: "idle" },
      ],
    });
    const changes: readonly Change[] = [
      { resource: "emulator-pin", cpus: "1" },
      { resource: "emulator-sched", policy: "batch" },
    ];
    const kept = (facts: Facts): unknown => next(changes, { facts, scope: "dynamic", steps: ["done", "failed"], ending: failed })[1];
    expect([kept(factsOf({ live })), kept(factsOf())]).toEqual([
      undefined,
      "qmpctl emulatorpin web1 0-3 --dynamic && qmpctl emulatorsched web1 other --dynamic",
    ]);
  });

  test("P16: of a half that could not be put back finish both", () => {
    expect(next([vcpus], { steps: ["undo-failed"], ending: failed })).toEqual([
      "qmpctl setvcpus web1 3 --static --dynamic",
      "qmpctl setvcpus web1 2 --dynamic",
    ]);
  });

  test("finish the config of changes whose live half was so already", () => {
    const facts = factsOf({ live: liveOf({ slots: slotsOf(4, 3) }) });
    expect(next([memory, vcpus], { facts, steps: ["undo-failed"], ending: failed })[0]).toBe(
      "qmpctl setmem web1 300MiB --static --dynamic && qmpctl setvcpus web1 3 --static",
    );
  });

  test("of what was kept leave out what is done", () => {
    expect(next([memory, vcpus], { scope: "dynamic", steps: ["done", "failed"], ending: failed })).toEqual([
      "qmpctl setmem web1 300MiB --dynamic",
      "qmpctl setmem web1 1GiB --dynamic && qmpctl setvcpus web1 2 --dynamic",
    ]);
  });

  test("promise no way back from an unplug that QEMU has accepted", () => {
    expect(next([fewer], { scope: "dynamic", steps: ["pending"] })).toEqual(["qmpctl setvcpus web1 1 --dynamic", undefined]);
    expect(next([fewer], { steps: ["pending"] })[1]).toBe("qmpctl setvcpus web1 2 --static");
  });

  test("name a vCPU's pin, and its mask as it was", () => {
    const facts = factsOf({ config: configOf({ vcpus: { pin: { "0": "2" } } }) });
    const commands = next([{ resource: "vcpu-pin", vcpu: 0, cpus: "1" }], { facts, steps: ["undo-failed"], ending: failed });
    expect(commands).toEqual(["qmpctl vcpupin web1 0 1 --static --dynamic", "qmpctl vcpupin web1 0 0-3 --dynamic"]);
  });

  test("after QEMU's death start it again, with the config as it was to be", () => {
    const facts = factsOf();
    const planned = planOf([memory], "both", facts);
    const cause = new DiedError("web1: QEMU (process 4000) is gone", { pid: 4000, lastWords: null });
    const records = planned.steps.map((step) => ({ ...step, outcome: "undo-failed" as const, cause }));
    expect(next([memory], { ending: { ...failed, records } })).toEqual([
      "qmpctl setmem web1 300MiB --static && qmpctl start web1",
      undefined,
    ]);
    expect(next([memory], { scope: "dynamic", ending: { ...failed, records } })).toEqual(["qmpctl start web1", undefined]);
    expect(next([memory], { scope: "dynamic", facts: factsOf({ config: null }), ending: { ...failed, records } })).toEqual([
      undefined,
      undefined,
    ]);
  });
});

describe("a step of a dry run", () => {
  test("of pinning shows the CPUs and the thread that are meant", () => {
    const [step] = told([{ resource: "vcpu-pin", vcpu: 0, cpus: "all" }], {
      scope: "dynamic",
      facts: factsOf({ live: liveOf({ vcpus: vcpusIn(slotsOf(4, 2), "1") }) }),
    }).steps;
    expect(step).toMatchObject({ sends: "taskset -pc 0-3 4000", undo: "taskset -pc 1 4000" });
  });

  test("says why it can't be taken back, or that it goes with another", () => {
    const tcg = factsOf({ live: liveOf({ tcg: true, version: { major: 7, text: "7.2.22" } }) });
    expect(told([fewer], { scope: "dynamic", facts: tcg }).steps[0]).toMatchObject({
      noUndo: expect.stringContaining("QEMU 7.2.22") as string,
    });
    const pinned = factsOf({ config: configOf({ vcpus: { pin: { "2": "1" } } }) });
    expect(told([vcpus], { scope: "dynamic", facts: pinned }).steps[1]).toMatchObject({
      sends: "taskset -pc 1 (thread of vCPU 2)",
      undo: "the thread is new, and goes with its vCPU",
    });
  });
});
