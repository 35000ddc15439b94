import { describe, expect, test } from "vitest";
import { type ConfigChanges, configOf, factsOf, GIB, liveOf, MIB, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import type { Facts } from "../../../src/domain/facts/facts.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { memoryPeriod } from "../../../src/domain/resources/memory-period.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { UsageError } from "../../../src/errors.ts";
import { asked, failure, runningDomain } from "../scene.ts";

const every = (seconds: number): Change => ({ resource: "memory-period", seconds });
const withPeriod = (period: number): ConfigChanges => ({ memory: { period } });
const facts = (period: number, config: ConfigChanges = {}, notes: Facts["asked"] = {}) =>
  factsOf({ live: liveOf({ period }), config: configOf(config), asked: notes });
const ours = (changes: readonly Change[]) => changes.filter(({ resource }) => resource === "memory-period");
const row = (of: Facts) => diffOf(of).find(({ resource }) => resource === "memory-period");

describe("memory-period", () => {
  test("is one step on the live machine and one key of the config", () => {
    const plan = planOf(every(10), "both", facts(5));
    expect(plan).toMatchObject({
      refusals: [],
      steps: [{ step: { kind: "memory-period", balloon: "/machine/peripheral/balloon0", seconds: 10, before: 5 } }],
    });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ memory: { period: 10 } });
  });

  test("is 5 where the config says nothing, as a start makes it so, and done already where QEMU asks so often", () => {
    expect(planOf(every(5), "both", facts(5))).toMatchObject({ steps: [], text: null });
    expect(planOf(every(5), "static", stoppedFacts({ config: configOf(withPeriod(10)) })).text).toContain('"period": 5');
  });

  test("is refused without a balloon, in both halves, with the device to add", () => {
    const none = factsOf({
      live: liveOf({ memory: { size: GIB, actual: null, balloon: null, guest: null } }),
      config: configOf({ args: [] }),
    });
    const plan = planOf(every(10), "both", none);
    expect(reasonsOf(plan)).toEqual([
      "static: the config has no balloon device, so its guest has no figures to tell",
      "dynamic: the machine has no balloon device, so its guest has no figures to tell",
    ]);
    expect(plan.refusals.every(({ instead }) => instead?.includes("virtio-balloon-pci"))).toBe(true);
  });

  test.each([-1, 1.5, NaN, 2 ** 32])("%s is no number of seconds", (seconds) => {
    expect(() => planOf(every(seconds), "static")).toThrow(UsageError);
  });

  test("goes back to what it was, and not where it is that already", () => {
    const [kind] = memoryPeriod.stepKinds;
    const step = { kind: "memory-period", balloon: "/b", seconds: 10, before: 5 };
    expect(kind?.inverse(step, liveOf({ period: 10 }), liveOf())).toEqual([{ ...step, seconds: 5, before: 10 }]);
    expect(kind?.inverse(step, liveOf({ period: 5 }), liveOf())).toEqual([]);
  });

  test.each<[string, Facts, object | undefined]>([
    ["the usual is nothing to speak of", facts(5), undefined],
    ["nor is a machine that nobody had asked", facts(0), undefined],
    ["the config speaks of it", facts(5, withPeriod(5)), { config: 5, live: 5, why: null }],
    ["both differ", facts(5, withPeriod(10)), { config: 10, live: 5, why: expect.stringMatching(/^changed/) }],
    ["changed on the running machine only", facts(30), { config: 5, live: 30, why: expect.stringMatching(/^changed/) }],
    ["stopped as somebody wanted it", facts(0, {}, { period: 0 }), { config: 5, live: 0, why: expect.stringMatching(/^changed/) }],
    ["stopped", stoppedFacts({ config: configOf(withPeriod(10)) }), { config: 10, live: null, why: null }],
    ["transient", factsOf({ config: null, live: liveOf({ period: 30 }) }), { config: null, live: 30, why: null }],
  ])("has a row where somebody meant it: %s", (_, of, expected) => {
    expect(row(of)).toEqual(expected === undefined ? undefined : { resource: "memory-period", guest: null, ...expected });
  });

  test("is made equal by revert and persist, where it is meant", () => {
    expect(ours(changesToRevert(facts(30, withPeriod(10))))).toEqual([every(10)]);
    expect(ours(changesToPersist(facts(30, withPeriod(10))))).toEqual([every(30)]);
    expect(ours(changesToRevert(facts(0, {}, { period: 0 })))).toEqual([every(5)]);
    expect(ours(changesToPersist(facts(0, {}, { period: 0 })))).toEqual([every(0)]);
    for (const changes of [changesToRevert(facts(0)), changesToPersist(facts(0)), changesToRevert(facts(5))])
      expect(ours(changes)).toEqual([]);
  });

  test("has its place in an allocation file", () => {
    expect(changesOf({ memory: { period: 10 } })).toEqual([every(10)]);
    expect(() => changesOf({ memory: { period: "10" as never } })).toThrow(/memory\.period/);
  });
});

describe("a machine that is asked", () => {
  test("no more, as somebody wanted it, is asked when it matters, and no more after", async () => {
    const { domain, qemu, ...scene } = await runningDomain();
    expect(await domain.change(every(0))).toMatchObject({ outcome: "applied" });
    expect(await domain.setMemory(900 * MIB)).toMatchObject({ outcome: "applied" });
    expect(qemu.polling).toBe(0);
    expect(await asked({ domain, qemu, ...scene })).toMatchObject({ period: 0 });
  });

  test("no more, as a client left it that was killed, is asked again", async () => {
    const { domain, qemu } = await runningDomain();
    qemu.polling = 0;
    expect(await domain.setMemory(900 * MIB)).toMatchObject({ outcome: "applied" });
    expect(qemu.polling).toBe(5);
  });

  test("less often than it was told is a failure, and taken back", async () => {
    const { domain, qemu } = await runningDomain();
    qemu.after("qom-set", () => void (qemu.polling === 10 && (qemu.polling = 60)));
    const { report, message } = await failure(domain.change(every(10), { scope: "both" }));
    expect(message).toContain("the balloon was told to ask every 10 s, and asks every 60 s");
    expect([report.outcome, qemu.polling]).toEqual(["rolled-back", 5]);
  });
});
