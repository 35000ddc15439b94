import { describe, expect, test } from "vitest";
import { configOf, factsOf, iothreadOf, liveOf, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { kindOf, stepKindOf } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";

const CHANGES: Readonly<Record<string, (policy: string) => Change>> = {
  "vcpu-sched 1": (policy) => ({ resource: "vcpu-sched", vcpu: 1, policy }),
  "iothread-sched io0": (policy) => ({ resource: "iothread-sched", iothread: "io0", policy }),
  "emulator-sched": (policy) => ({ resource: "emulator-sched", policy }),
};
const isOurs = ({ resource }: { readonly resource: string }): boolean => resource.includes("-sched");

/** The facts of a machine of which all threads have this policy, and of a config that has this one for each. */
function facts(live: string, config?: string, highest = 99): LiveFacts {
  const base = configOf();
  const stored: LaunchConfig =
    config === undefined
      ? base
      : {
          ...base,
          vcpus: { ...base.vcpus, sched: { 1: config } },
          threads: { emulatorSched: config, iothreadsSched: { io0: config } },
        };
  return factsOf({
    config: stored,
    live: liveOf({
      scheduling: { vcpus: new Map([[1, live]]), main: live, rights: { highest, leavesIdle: highest > 0 } },
      iothreads: [iothreadOf("io0", { policy: live })],
      ownThreads: [
        { tid: 4000, affinity: "0-3", policy: live },
        { tid: 4009, affinity: "0-3", policy: "idle" },
      ],
    }),
  });
}

describe.each(Object.entries(CHANGES))("%s", (label, change) => {
  test("is one step on its threads and one key of the config, by its shortest form", () => {
    const plan = planOf(change("rr:05"), "both", facts("batch"));
    expect(plan).toMatchObject({ refusals: [], steps: [{ step: { policy: "rr:5" } }] });
    expect(plan.steps[0]?.step).toHaveProperty("before.0.policy", "batch");
    const file = JSON.parse(plan.text ?? "") as LaunchConfig;
    expect([file.vcpus.sched?.[1], file.threads?.emulatorSched, file.threads?.iothreadsSched?.["io0"]]).toContain("rr:5");
  });

  test("is done already where it is so, and other takes it out of the config", () => {
    expect(planOf(change("batch"), "both", facts("batch", "batch"))).toMatchObject({ steps: [], text: null });
    const plan = planOf(change("other"), "both", facts("batch", "batch"));
    expect(plan.steps).toMatchObject([{ step: { policy: "other" } }]);
    expect(
      kindOf(change("other")).inConfig(
        change("other"),
        kindOf(change("x")).applied(change("other"), facts("x", "batch").config as LaunchConfig),
      ),
    ).toBe("other");
  });

  test("goes back to what each thread had, and says the commands", () => {
    const given = facts("batch");
    const [planned] = planOf(change("fifo:1"), "dynamic", given).steps;
    if (planned === undefined) throw new Error("no step");
    const kind = stepKindOf(planned.step);
    const [back] = kind.inverse(planned.step, given.live, given.live) as never[];
    expect(back).toMatchObject({ policy: "batch", isBack: true });
    expect(kind.sends(planned.step, given)).toMatch(/^chrt --fifo --pid 1 4\d\d\d/);
    expect(kind.sends(back as never, given)).toMatch(/^chrt --batch --pid 0 4\d\d\d/);
    expect(kind.undoing(planned.step, given)).toBe(kind.sends(back as never, given));
    expect(kind.remarks?.(planned.step, "done", null, "web1")).toEqual([expect.stringMatching(/starves/)]);
    expect(kind.remarks?.(back as never, "done", null, "web1")).toEqual([]);
    expect(kind.inverse(planned.step, liveOf({ vcpus: [], iothreads: [], ownThreads: [] }), given.live)).toEqual([]);
  });

  test("needs a right for real time, and none else; a foreign policy is left alone", () => {
    expect(reasonsOf(planOf(change("fifo:1"), "dynamic", facts("other", undefined, 0)))).toEqual([
      "dynamic: fifo:1 needs CAP_SYS_NICE, which this process has not, and the limits of QEMU (RLIMIT_RTPRIO) allow no priority of real time",
    ]);
    expect(reasonsOf(planOf(change("rr:7"), "both", facts("other", undefined, 6)))).toEqual([expect.stringMatching(/no priority above 6/)]);
    expect(planOf(change("rr:6"), "both", facts("other", undefined, 6)).refusals).toEqual([]);
    expect(planOf(change("batch"), "both", facts("other", undefined, 0)).refusals).toEqual([]);
    expect(reasonsOf(planOf(change("batch"), "both", facts("idle", undefined, 0)))).toEqual([
      expect.stringMatching(/leaves idle only with/),
    ]);
    expect(reasonsOf(planOf(change("idle"), "both", facts("other", undefined, 0)))).toEqual([
      expect.stringMatching(/idle can't be taken back/),
    ]);
    expect(planOf(change("idle"), "both", facts("other", undefined, 0), true).refusals).toEqual([]);
    expect(reasonsOf(planOf(change("batch"), "dynamic", facts("deadline")))).toEqual([expect.stringMatching(/policy deadline/)]);
  });

  test.each(["", "fifo", "rr:0", "fifo:100", "realtime", "batch:3", "OTHER"])("refuses the policy %j", (policy) => {
    expect(() => planOf(change(policy), "static")).toThrow(UsageError);
  });

  test("has a row where either half has one that is not the usual, and is reverted and persisted", () => {
    const row = (of: Parameters<typeof diffOf>[0]) => diffOf(of).find(({ resource }) => resource === label);
    expect(row(factsOf())).toBeUndefined();
    expect(row(facts("batch", "idle"))).toMatchObject({ config: "idle", live: "batch" });
    expect(row(facts("idle", "idle"))).toMatchObject({ why: null });
    expect(row(stoppedFacts({ config: facts("other", "idle").config }))).toMatchObject({ config: "idle", live: null, why: null });
    expect(changesToRevert(facts("batch", "idle"))).toContainEqual(change("idle"));
    expect(changesToPersist(facts("batch", "idle"))).toContainEqual(change("batch"));
    expect([...changesToRevert(facts("idle", "idle")), ...changesToPersist(facts("idle", "idle"))].filter(isOurs)).toEqual([]);
    expect(changesToPersist(facts("deadline", "idle")).filter(isOurs)).toEqual([]);
  });
});

test("what is not there is kept in the config, and refused on the running machine", () => {
  const changes: readonly Change[] = [
    { resource: "vcpu-sched", vcpu: 3, policy: "batch" },
    { resource: "iothread-sched", iothread: "io7", policy: "batch" },
  ];
  expect(planOf(changes, "static").refusals).toEqual([]);
  expect(reasonsOf(planOf(changes, "dynamic"))).toEqual([
    "dynamic: vCPU 3 is not plugged, so it has no thread yet",
    "dynamic: the running machine has no iothread io7",
  ]);
  expect(reasonsOf(planOf({ resource: "vcpu-sched", vcpu: 9, policy: "batch" }, "both"))).toEqual([
    "static: vCPU 9 is out of range of the config, which has room for 4",
    "dynamic: vCPU 9 is out of range of the running machine, which has room for 4",
  ]);
  const elsewhere = factsOf({
    live: liveOf({ pid: null, ownThreads: [], scheduling: { vcpus: new Map(), main: null, rights: { highest: 0, leavesIdle: false } } }),
  });
  expect(reasonsOf(planOf({ resource: "emulator-sched", policy: "batch" }, "dynamic", elsewhere))).toEqual([
    expect.stringMatching(/not on this host/),
  ]);
});

describe("a vCPU that is plugged", () => {
  const grow: Change = { resource: "vcpus", count: 3 };
  const stepsOf = (of: LiveFacts) => planOf(grow, "dynamic", of).steps.map(({ step }) => step);

  test("gets the policy that the config has for it", () => {
    const base = configOf();
    const config = { ...base, vcpus: { ...base.vcpus, sched: { 2: "fifo:2" } } };
    expect(stepsOf(factsOf({ config }))).toMatchObject([
      { kind: "plug" },
      { kind: "vcpu-sched", target: 2, policy: "fifo:2", before: null },
    ]);
  });

  test("does not inherit the policy of the main thread, and needs no step for what it has anyway", () => {
    const main = liveOf({ scheduling: { vcpus: new Map(), main: "idle", rights: { highest: 99, leavesIdle: true } } });
    expect(stepsOf(factsOf({ live: main }))).toMatchObject([{ kind: "plug" }, { kind: "vcpu-sched", target: 2, policy: "other" }]);
    expect(stepsOf(factsOf())).toMatchObject([{ kind: "plug" }]);
  });

  test("can be given one in the same set", () => {
    const plan = planOf([{ resource: "vcpu-sched", vcpu: 2, policy: "batch" }, grow], "dynamic");
    expect(plan.steps.map(({ step }) => step.kind)).toEqual(["plug", "vcpu-sched"]);
  });
});

test("an inherited policy is told apart from a change", () => {
  const why = (label: string) => diffOf(facts("batch")).find(({ resource }) => resource === label)?.why;
  expect([why("vcpu-sched 1"), why("emulator-sched")]).toEqual([expect.stringMatching(/^inherited/), expect.stringMatching(/^changed/)]);
});

test("policies are keys of an allocation file, null for other", () => {
  const file = { vcpus: { sched: { 1: "batch" } }, threads: { emulatorSched: null, iothreadsSched: { io0: "fifo:1" } } };
  expect(changesOf(file)).toEqual([
    CHANGES["vcpu-sched 1"]?.("batch"),
    CHANGES["emulator-sched"]?.("other"),
    CHANGES["iothread-sched io0"]?.("fifo:1"),
  ]);
  expect(() => changesOf({ vcpus: { sched: { 1: 3 } } } as never)).toThrow('vcpus.sched.1 is 3, not a text, as "batch", or null');
});
