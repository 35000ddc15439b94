import { describe, expect, test } from "vitest";
import {
  configOf,
  cpus,
  factsOf,
  GIB,
  liveOf,
  MIB,
  planOf,
  slotOf,
  slotsOf,
  stoppedFacts,
  vcpuOf,
  vcpusIn,
} from "../../../scripts/lab/facts.ts";
import { fractionsFrom } from "../../../scripts/lab/fractions.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import type { DiffRow } from "../../../src/domain/resources/row.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { pick } from "../../config/random-json.ts";
import { afterPersist, afterRevert } from "../model.ts";

const NEXT_START = "waits for the next start";
const CHANGED = "changed on one side only: `revert` makes live equal the config, `persist` the config equal live";

function row(resource: string, rows: readonly DiffRow[]): DiffRow | undefined {
  return rows.find((it) => it.resource === resource);
}

describe("the diff of a domain", () => {
  test("has a row for each size and count, and no reason where they agree", () => {
    expect(diffOf(factsOf())).toEqual([
      { resource: "memory", config: GIB, live: GIB, guest: null, why: null },
      { resource: "max-memory", config: 2 * GIB, live: 2 * GIB, guest: null, why: null },
      { resource: "vcpus", config: 2, live: 2, guest: null, why: null },
      { resource: "max-vcpus", config: 4, live: 4, guest: null, why: null },
    ]);
  });

  test("has one side only where there is no other", () => {
    for (const facts of [stoppedFacts(), factsOf({ config: null })]) expect(diffOf(facts).every(({ why }) => why === null)).toBe(true);
    expect(row("vcpus", diffOf(stoppedFacts()))).toMatchObject({ config: 2, live: null });
    expect(row("memory", diffOf(factsOf({ config: null })))).toMatchObject({ config: null, live: GIB });
  });

  test("has the guest's own view of its memory", () => {
    const guest = { total: 900 * MIB, available: 100 * MIB, at: 1 };
    expect(
      row("memory", diffOf(factsOf({ live: liveOf({ memory: { size: 2 * GIB, actual: GIB, balloon: "/b", guest } }) }))),
    ).toMatchObject({ guest: 900 * MIB });
  });

  test("tells what waits for the next start", () => {
    const rows = diffOf(
      factsOf({ config: configOf({ memory: { max: 4 * GIB, current: 3 * GIB }, vcpus: { max: 8, current: 6, pin: { "5": "0" } } }) }),
    );
    expect(rows.map(({ resource, why }) => [resource, why])).toEqual([
      ["memory", NEXT_START],
      ["max-memory", NEXT_START],
      ["vcpus", NEXT_START],
      ["max-vcpus", NEXT_START],
      ["vcpu-pin 5", NEXT_START],
    ]);
  });

  test("tells what waits for the guest", () => {
    const rows = diffOf(factsOf({ live: liveOf({ slots: slotsOf(4, 4) }), asked: { balloon: 300 * MIB, unplug: [2, 3] } }));
    expect(row("memory", rows)?.why).toBe("waits for the guest: asked to go to 300MiB");
    expect(row("vcpus", rows)?.why).toBe("waits for the guest: asked to let go of vCPU 2, 3");
  });

  test("tells what was changed on one side", () => {
    const live = liveOf({ slots: slotsOf(4, 3), memory: { size: 2 * GIB, actual: 512 * MIB, balloon: "/b", guest: null } });
    const rows = diffOf(factsOf({ live }));
    expect([row("memory", rows)?.why, row("vcpus", rows)?.why]).toEqual([CHANGED, CHANGED]);
  });

  test("without a balloon, memory waits for the next start", () => {
    const live = liveOf({ memory: { size: 2 * GIB, actual: null, balloon: null, guest: null } });
    expect(row("memory", diffOf(factsOf({ live })))).toMatchObject({ live: 2 * GIB, why: NEXT_START });
  });
});

describe("the diff of pins", () => {
  const withMasks = (masks: readonly (string | null)[], pins: Readonly<Record<string, string>>): readonly DiffRow[] => {
    const live = liveOf({ vcpus: masks.map((mask, index) => vcpuOf(index, mask)) });
    return diffOf(factsOf({ live, config: configOf({ vcpus: { pin: pins } }) })).filter(({ resource }) => resource.startsWith("vcpu-pin"));
  };

  test("has a row for each vCPU that is bound on either side", () => {
    expect(withMasks(["0-3", "1"], { "0": "2" })).toEqual([
      { resource: "vcpu-pin 0", config: "2", live: "all", guest: null, why: CHANGED },
      { resource: "vcpu-pin 1", config: "all", live: "1", guest: null, why: CHANGED },
    ]);
  });

  test("agrees on the same set in other words, and on a pin to every CPU", () => {
    expect(withMasks(["0-1", "0-3"], { "0": "1,0", "1": "0-3" }).map(({ live, why }) => [live, why])).toEqual([
      ["0-1", null],
      ["0-3", null],
    ]);
  });

  test("takes what the emulator itself may use for not bound", () => {
    const live = liveOf({ vcpus: [vcpuOf(0, "0-1"), vcpuOf(1, "0-1")], mainAffinity: cpus(0, 1) });
    expect(diffOf(factsOf({ live, config: configOf({ vcpus: { pin: { "1": "0-1" } } }) })).slice(4)).toEqual([
      { resource: "vcpu-pin 1", config: "0-1", live: "0-1", guest: null, why: null },
    ]);
  });

  test("has one for a vCPU that will be plugged, and none to say of threads elsewhere", () => {
    expect(withMasks(["0-3", "0-3"], { "3": "0" })).toMatchObject([
      { resource: "vcpu-pin 3", live: null, why: "applied when the vCPU is plugged" },
    ]);
    expect(withMasks([null, null], {})).toEqual([]);
  });
});

describe("the changes that make one side equal the other", () => {
  test("are none where there is only one", () => {
    for (const facts of [stoppedFacts(), factsOf({ config: null })])
      expect([changesToRevert(facts), changesToPersist(facts)]).toEqual([[], []]);
  });

  test("leave what waits for the next start", () => {
    const config = configOf({ memory: { max: 4 * GIB, current: 3 * GIB }, vcpus: { max: 8, current: 6 } });
    expect(changesToRevert(factsOf({ config }))).toEqual([]);
  });

  test("keep to the vCPUs that stay, whatever their indices", () => {
    const slots = [slotOf(0, { plugged: true }), slotOf(1, { plugged: true }), slotOf(2), slotOf(3, { plugged: true })];
    const live = liveOf({ slots, vcpus: vcpusIn(slots, "1") });
    const pinned = (count: number) =>
      changesToRevert(factsOf({ live, config: configOf({ vcpus: { current: count } }) })).flatMap((it) => ("vcpu" in it ? [it.vcpu] : []));
    // Three of the config are vCPUs 0 to 2: vCPU 3 leaves.
    expect(pinned(3)).toEqual([0, 1]);
    expect(pinned(2)).toEqual([0, 1]);
    expect(pinned(1)).toEqual([0]);
  });

  test("write no pin that the config has in other words", () => {
    const live = liveOf({ vcpus: vcpusIn(slotsOf(4, 2), "0-1") });
    const pins = changesToPersist(factsOf({ live, config: configOf({ vcpus: { pin: { "0": "1,0" } } }) })).filter(
      ({ resource }) => resource === "vcpu-pin",
    );
    expect(pins).toEqual([{ resource: "vcpu-pin", vcpu: 1, cpus: "0-1" }]);
  });
});

describe("whatever config and live have become", () => {
  const FACTS = 300;
  const anyFacts = (random: () => number): LiveFacts => {
    const slots = [0, 1, 2, 3].map((first) => slotOf(first, { plugged: first === 0 || random() < 0.6 }));
    const mask = (): string => pick(random, ["0-3", "0-3", "0", "1-2", "0-1"]);
    const live = liveOf({
      slots,
      vcpus: vcpusIn(slots).map((vcpu) => ({ ...vcpu, affinity: mask() })),
      mainAffinity: pick(random, [cpus(0, 1, 2, 3), cpus(0, 1)]),
      memory: { size: 2 * GIB, actual: pick(random, [null, 512 * MIB, GIB, 2 * GIB]), balloon: "/b", guest: null },
    });
    const pins = Object.fromEntries(["0", "1", "2", "3"].filter(() => random() < 0.4).map((vcpu) => [vcpu, mask()]));
    const max = pick(random, [2 * GIB, 4 * GIB]);
    const config = configOf({
      memory: { max, current: pick(random, [512 * MIB, GIB, max]) },
      vcpus: { max: 4, current: pick(random, [1, 2, 3, 4]), pin: pins },
    });
    return factsOf({ live, config, asked: {} });
  };
  const changedRows = (facts: LiveFacts): readonly DiffRow[] => diffOf(facts).filter(({ why }) => why === CHANGED);

  test("a revert leaves nothing that was changed on one side only, and is done then", () => {
    const random = fractionsFrom(3);
    let different = 0;
    for (let left = FACTS; left > 0; left--) {
      const facts = anyFacts(random);
      if (changedRows(facts).length > 0) different++;
      const plan = planOf(changesToRevert(facts), "dynamic", facts);
      expect(plan.refusals).toEqual([]);
      const after = afterRevert(facts, plan);
      expect({ facts, rows: changedRows(after) }).toEqual({ facts, rows: [] });
      expect(planOf(changesToRevert(after), "dynamic", after).steps).toEqual([]);
    }
    expect(different).toBeGreaterThan(FACTS / 2);
  });

  test("a persist leaves no difference at all", () => {
    const random = fractionsFrom(4);
    for (let left = FACTS; left > 0; left--) {
      const facts = anyFacts(random);
      const changes: readonly Change[] = changesToPersist(facts);
      const plan = planOf(changes, "static", facts);
      expect(plan.refusals).toEqual([]);
      const rows = diffOf(afterPersist(facts, plan)).filter(({ live }) => live !== null);
      expect({ facts, rows: rows.filter(({ why }) => why !== null) }).toEqual({ facts, rows: [] });
    }
  });
});
