import { describe, expect, test } from "vitest";
import { configOf, cpus, factsOf, liveOf, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { emulatorPin } from "../../../src/domain/resources/emulator-pin.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";

const pin = (list: string): Change => ({ resource: "emulator-pin", cpus: list });
const pinned = { ...configOf(), threads: { emulator: "0" } };
const bound = liveOf({ mainAffinity: cpus(0, 1), mayUse: cpus(0, 1, 2, 3) });
const rowsOf = (facts: Parameters<typeof diffOf>[0]) => diffOf(facts).filter(({ resource }) => resource === "emulator-pin");

describe("emulator-pin", () => {
  test("is one step on the live machine and one key of the config", () => {
    const plan = planOf(pin("1,0"), "both");
    expect(plan).toMatchObject({
      refusals: [],
      steps: [{ step: { kind: "emulator-pin", cpus: "0-1", before: [{ tid: 4000, cpus: "0-3" }], allowSubset: false } }],
    });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ threads: { emulator: "0-1" } });
  });

  test("is done already where the mask is what is asked for, and taken out of the config by all", () => {
    expect(planOf(pin("0-1"), "dynamic", factsOf({ live: bound })).steps).toEqual([]);
    const plan = planOf(pin("all"), "both", factsOf({ live: bound, config: pinned }));
    expect(plan.steps).toMatchObject([{ step: { cpus: "all", before: [{ tid: 4000, cpus: "0-3" }], allowSubset: true } }]);
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ threads: {} });
  });

  test("goes back to the mask that each thread had before, and is told so", () => {
    const [binding] = emulatorPin.stepKinds;
    const ownThreads = [
      { tid: 4000, affinity: "0-1", policy: "other" },
      { tid: 4007, affinity: "2", policy: "other" },
    ];
    const facts = factsOf({ live: liveOf({ mainAffinity: cpus(0, 1), ownThreads }) });
    const step = planOf(pin("0"), "dynamic", facts).steps[0]?.step as never;
    expect(binding?.undoing(step, facts)).toBe("taskset -pc 0-1 4000; taskset -pc 2 4007");
    const [back] = binding?.inverse(step, bound, bound) as never[];
    expect(back).toMatchObject({ cpus: "0-1", isBack: true, before: [{ tid: 4000 }, { tid: 4007, cpus: "2" }] });
    expect(binding?.sends(back as never, facts)).toBe("taskset -pc 0-1 4000; taskset -pc 2 4007");
  });

  test("is refused for CPUs that the host does not have, in both halves, and where the threads are on another host", () => {
    expect(reasonsOf(planOf(pin("0,9"), "both"))).toEqual(["static: this host has no CPU 9", "dynamic: this host has no CPU 9"]);
    expect(reasonsOf(planOf(pin("4"), "static"))).toEqual(["static: CPU 4 of this host is offline"]);
    const elsewhere = factsOf({ live: liveOf({ pid: null, mainAffinity: null }) });
    expect(reasonsOf(planOf(pin("0"), "dynamic", elsewhere))).toEqual([expect.stringMatching(/not on this host/)]);
    expect(() => planOf(pin("x"), "static")).toThrow(UsageError);
  });

  test("can be done while the guest has crashed: it has no part in it", () => {
    expect(planOf(pin("0"), "dynamic", factsOf({ live: liveOf({ status: "guest-panicked", running: false }) })).refusals).toEqual([]);
  });

  test("comes after vCPUs are plugged, so that new threads start with the mask of before", () => {
    const plan = planOf([pin("0"), { resource: "vcpus", count: 3 }], "dynamic");
    expect(plan.steps.map(({ step }) => step.kind)).toEqual(["plug", "emulator-pin"]);
  });

  test("has a row where either half is bound, and says why they differ", () => {
    expect(rowsOf(factsOf())).toEqual([]);
    expect(rowsOf(factsOf({ config: pinned, live: bound }))).toMatchObject([
      { config: "0", live: "0-1", why: expect.stringMatching(/^changed/) as string },
    ]);
    expect(rowsOf(stoppedFacts({ config: pinned }))).toMatchObject([{ config: "0", live: null, why: null }]);
  });

  test("is reverted and persisted", () => {
    const facts = factsOf({ config: pinned, live: bound });
    expect(changesToRevert(facts)).toContainEqual(pin("0"));
    expect(changesToPersist(facts)).toContainEqual(pin("0-1"));
    expect([...changesToRevert(factsOf()), ...changesToPersist(factsOf())].map(({ resource }) => resource)).not.toContain("emulator-pin");
  });

  test("is a key of an allocation file, null for all CPUs", () => {
    expect(changesOf({ threads: { emulator: "0-1" } })).toEqual([pin("0-1")]);
    expect(changesOf({ threads: { emulator: null } })).toEqual([pin("all")]);
    expect(() => changesOf({ threads: { emulator: 3 } } as never)).toThrow('threads.emulator is 3, not a text, as "0-3", or null');
    expect(() => changesOf({ threads: "0" } as never)).toThrow('threads is "0", not an object, as {"emulator": "0-3"}');
  });
});
