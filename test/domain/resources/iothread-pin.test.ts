import { describe, expect, test } from "vitest";
import { configOf, factsOf, iothreadOf, liveOf, planOf as planFrom, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import type { Scope } from "../../../src/domain/model/change.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { iothreadPin } from "../../../src/domain/resources/iothread-pin.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";

const pin = (iothread: string, cpus: string): Change => ({ resource: "iothread-pin", iothread, cpus });
const configWith = (iothreads: Record<string, string>): LaunchConfig => ({ ...configOf(), threads: { iothreads } });
const liveWith = (...masks: readonly (readonly [id: string, affinity: string | null])[]) =>
  liveOf({ iothreads: masks.map(([id, affinity], position) => iothreadOf(id, { tid: 4100 + position, affinity })) });
const planOf = (change: Change, scope: Scope, facts = factsOf({ live: liveWith(["io0", "0-3"]) })) => planFrom(change, scope, facts);
const rowsOf = (facts: Parameters<typeof diffOf>[0]) => diffOf(facts).filter(({ resource }) => resource.startsWith("iothread-pin"));

describe("iothread-pin", () => {
  test("is one step on the iothread's thread, and one key of the config", () => {
    const plan = planOf(pin("io0", "1,0"), "both");
    expect(plan).toMatchObject({
      refusals: [],
      steps: [{ step: { kind: "iothread-pin", iothread: "io0", cpus: "0-1", before: "0-3", allowSubset: false } }],
    });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ threads: { iothreads: { io0: "0-1" } } });
  });

  test("is done already where the mask is what is asked for, and all takes it out of the config", () => {
    const facts = factsOf({ config: configWith({ io0: "0-1", io1: "2" }), live: liveWith(["io0", "0-1"]) });
    expect(planOf(pin("io0", "0-1"), "both", facts)).toMatchObject({ steps: [], text: null });
    const plan = planOf(pin("io0", "all"), "both", facts);
    expect(plan.steps).toMatchObject([{ step: { cpus: "all", before: "0-1", allowSubset: true } }]);
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ threads: { iothreads: { io1: "2" } } });
  });

  test("goes back to the mask of before, unless the iothread is gone, or came with the same change", () => {
    const [binding] = iothreadPin.stepKinds;
    const step = { kind: "iothread-pin", iothread: "io0", cpus: "0", before: "0-1", allowSubset: false };
    const live = liveWith(["io0", "0"]);
    expect(binding?.inverse(step, live, live)).toMatchObject([{ iothread: "io0", cpus: "0-1", before: null }]);
    expect(binding?.inverse(step, liveWith(), live)).toEqual([]);
    expect(binding?.inverse({ ...step, before: null } as never, live, live)).toEqual([]);
  });

  test("of one that is not there is kept in the config, and refused on the running machine, with those that there are", () => {
    expect(planOf(pin("io1", "0"), "static")).toMatchObject({ refusals: [], text: expect.stringContaining('"io1": "0"') as string });
    const { refusals } = planOf(pin("io1", "0"), "dynamic");
    expect(refusals).toMatchObject([
      { reason: "the running machine has no iothread io1, only io0", instead: expect.stringContaining("iothreadadd web1 io1") as string },
    ]);
  });

  test("is refused for CPUs that the host does not have, in both halves, and where the threads are not on this host", () => {
    expect(reasonsOf(planOf(pin("io0", "9"), "both"))).toEqual(["static: this host has no CPU 9", "dynamic: this host has no CPU 9"]);
    const elsewhere = factsOf({ live: { ...liveWith(["io0", null]), pid: null } });
    expect(reasonsOf(planOf(pin("io0", "0"), "dynamic", elsewhere))).toEqual([expect.stringMatching(/not on this host/)]);
    const other = factsOf({ live: liveWith(["io0", null]) });
    expect(reasonsOf(planOf(pin("io0", "0"), "dynamic", other))).toEqual([expect.stringMatching(/thread 4100 is not one of QEMU's/)]);
  });

  test.each(["", ".", "a b", 'a"b', "0io", "__proto__", "ü", "a".repeat(129)])("refuses %j, which QEMU takes for no id", (id) => {
    expect(() => planOf(pin(id, "0"), "static")).toThrow(UsageError);
  });

  test.each(["constructor", "toString", "a.b", "x-_1"])("takes %s as an id like any other", (id) => {
    expect(planOf(pin(id, "all"), "static")).toMatchObject({ text: null, changes: [{ static: { before: "all", needed: false } }] });
    const plan = planOf(pin(id, "1"), "both", factsOf({ live: liveWith([id, "0-3"]) }));
    expect(plan.steps).toHaveLength(1);
    expect(Object.entries((JSON.parse(plan.text ?? "") as LaunchConfig).threads?.iothreads ?? {})).toEqual([[id, "1"]]);
    const kept = factsOf({ config: configWith({ [id]: "0" }), live: liveWith([id, "0"]) });
    expect(rowsOf(kept)).toMatchObject([{ resource: `iothread-pin ${id}`, config: "0", live: "0", why: null }]);
  });

  test("has a row where either half is bound, and says why they differ", () => {
    expect(rowsOf(factsOf())).toEqual([]);
    const facts = factsOf({ config: configWith({ io1: "0" }), live: liveWith(["io0", "0-1"]) });
    expect(rowsOf(facts)).toMatchObject([
      { resource: "iothread-pin io0", config: "all", live: "0-1", why: expect.stringMatching(/^changed/) as string },
      { resource: "iothread-pin io1", config: "0", live: null, why: "applied when the iothread is added" },
    ]);
    expect(rowsOf(stoppedFacts({ config: configWith({ io1: "0" }) }))).toMatchObject([{ config: "0", live: null, why: null }]);
    const inherited = factsOf({ live: { ...liveWith(["io0", "0"]), mainAffinity: new Set([0]), mayUse: new Set([0, 1, 2, 3]) } });
    expect(rowsOf(inherited)).toMatchObject([{ why: expect.stringMatching(/^inherited/) as string }]);
  });

  test("is reverted and persisted, each iothread by itself", () => {
    const facts = factsOf({ config: configWith({ io0: "0", io2: "1" }), live: liveWith(["io0", "0-1"], ["io1", "0-3"]) });
    const ours = (changes: readonly Change[]) => changes.filter(({ resource }) => resource === "iothread-pin");
    expect(ours(changesToRevert(facts))).toEqual([pin("io0", "0")]);
    expect(ours(changesToPersist(facts))).toEqual([pin("io0", "0-1")]);
    expect(ours([...changesToRevert(factsOf()), ...changesToPersist(factsOf())])).toEqual([]);
  });

  test("is a key of an allocation file, null for all CPUs", () => {
    expect(changesOf({ threads: { iothreads: { io0: "0-1", io1: null } } })).toEqual([pin("io0", "0-1"), pin("io1", "all")]);
    expect(() => changesOf({ threads: { iothreads: { io0: 3 } } } as never)).toThrow(
      'threads.iothreads.io0 is 3, not a text, as "0-3", or null',
    );
  });
});
