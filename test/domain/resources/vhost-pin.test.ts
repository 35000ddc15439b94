import { describe, expect, test } from "vitest";
import { configOf, factsOf, liveOf, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { vhostPin } from "../../../src/domain/resources/vhost-pin.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";

const pin = (cpus: string): Change => ({ resource: "vhost-pin", cpus });
const pinned = { ...configOf(), threads: { vhost: "0" } };
const liveWith = (...masks: readonly string[]) =>
  liveOf({ vhost: masks.map((affinity, position) => ({ tid: 4200 + position, affinity })), mayUse: new Set([0, 1, 2, 3]) });
const rowsOf = (facts: Parameters<typeof diffOf>[0]) => diffOf(facts).filter(({ resource }) => resource === "vhost-pin");
const ours = (changes: readonly Change[]) => changes.filter(({ resource }) => resource === "vhost-pin");

describe("vhost-pin", () => {
  test("is one step for all threads, which goes back to the mask of each, and one key of the config", () => {
    const facts = factsOf({ live: liveWith("0", "1-3") });
    const plan = planOf(pin("1,0"), "both", facts);
    expect(plan).toMatchObject({ refusals: [], steps: [{ step: { cpus: "0-1", before: { 4200: "0", 4201: "1-3" } } }] });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ threads: { vhost: "0-1" } });
    const [binding] = vhostPin.stepKinds;
    const step = plan.steps[0]?.step as never;
    expect(binding?.sends(step, facts)).toBe("taskset -pc 0-1 4200; taskset -pc 0-1 4201");
    expect(binding?.undoing(step, facts)).toBe("taskset -pc 0 4200; taskset -pc 1-3 4201");
    const [back] = binding?.inverse(step, facts.live, facts.live) as never[];
    expect(binding?.sends(back as never, facts)).toBe("taskset -pc 0 4200; taskset -pc 1-3 4201");
  });

  test("is done already where all threads have that mask", () => {
    expect(planOf(pin("0-1"), "dynamic", factsOf({ live: liveWith("0-1", "0-1") })).steps).toEqual([]);
    expect(planOf(pin("0-1"), "dynamic", factsOf({ live: liveWith("0-1", "0") })).steps).toHaveLength(1);
  });

  test("is kept in the config and refused on a machine without such threads", () => {
    const none = factsOf({ live: liveWith() });
    expect(planOf(pin("0"), "static", none)).toMatchObject({ refusals: [], text: expect.stringContaining('"vhost": "0"') as string });
    expect(reasonsOf(planOf(pin("0"), "both", none))).toEqual(["dynamic: the running machine has no vhost threads"]);
    expect(reasonsOf(planOf(pin("all"), "dynamic", none))).toEqual(["dynamic: the running machine has no vhost threads"]);
    const elsewhere = factsOf({ live: liveOf({ pid: null, vhost: null }) });
    expect(reasonsOf(planOf(pin("0"), "dynamic", elsewhere))).toEqual([expect.stringMatching(/not on this host/)]);
    expect(reasonsOf(planOf(pin("9"), "both"))).toEqual(["static: this host has no CPU 9", "dynamic: this host has no CPU 9"]);
  });

  test("has a row where either half is bound, and says why they differ", () => {
    expect(rowsOf(factsOf())).toEqual([]);
    expect(rowsOf(factsOf({ config: pinned, live: liveWith("0-1") }))).toMatchObject([{ config: "0", live: "0-1" }]);
    expect(rowsOf(factsOf({ live: liveWith("0", "1") }))).toMatchObject([{ config: "all", live: "0 + 1" }]);
    expect(rowsOf(factsOf({ config: pinned, live: liveWith() }))).toMatchObject([
      { config: "0", live: null, why: "waits for vhost threads: the running machine has none" },
    ]);
    expect(rowsOf(stoppedFacts({ config: pinned }))).toMatchObject([{ config: "0", live: null, why: null }]);
  });

  test("is reverted and persisted; masks that differ are no list for the config", () => {
    const facts = factsOf({ config: pinned, live: liveWith("0-1") });
    expect([ours(changesToRevert(facts)), ours(changesToPersist(facts))]).toEqual([[pin("0")], [pin("0-1")]]);
    const mixed = factsOf({ config: pinned, live: liveWith("0", "1") });
    expect([ours(changesToRevert(mixed)), ours(changesToPersist(mixed))]).toEqual([[pin("0")], []]);
    const none = factsOf({ config: pinned, live: liveWith() });
    expect([ours(changesToRevert(none)), ours(changesToPersist(none))]).toEqual([[], []]);
  });

  test("is a key of an allocation file, null for all CPUs", () => {
    expect(changesOf({ threads: { vhost: null } })).toEqual([pin("all")]);
    expect(() => changesOf({ threads: { vhost: 3 } } as never)).toThrow('threads.vhost is 3, not a text, as "0-3", or null');
  });
});
