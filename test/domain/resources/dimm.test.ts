import { describe, expect, test } from "vitest";
import {
  BALLOON,
  changedLines,
  configOf,
  dimmOf,
  factsOf,
  GIB,
  liveOf,
  MIB,
  planOf,
  reasonsOf,
  stoppedFacts,
  textOf,
  virtioMemOf,
} from "../../../scripts/lab/facts.ts";
import { plan } from "../../../src/domain/change/plan.ts";
import type { Facts, LiveFacts } from "../../../src/domain/facts/facts.ts";
import type { MemoryDevice } from "../../../src/domain/facts/memory-devices.ts";
import { roomIn } from "../../../src/domain/facts/memory-room.ts";
import { newDimm } from "../../../src/domain/resources/new-dimm.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";

const to = (mib: number, id = "dimm1", node = 0): Change => ({ resource: "dimm", id, size: mib * MIB, node });
const hotplug = { slots: 2, limit: 8 * GIB };
const WORDS = ["-object", "memory-backend-ram,id=dimm1-ram,size=1G", "-device", "pc-dimm,id=dimm1,memdev=dimm1-ram"];
const bare = configOf({ memory: { hotplug } });
const fitted = configOf({ memory: { hotplug }, args: [...BALLOON, ...WORDS] });

/** A machine of 2 GiB with these devices; the balloon holds 1 GiB. */
function running(devices: readonly MemoryDevice[], changes: Partial<Facts> = {}, backends: readonly string[] = []): LiveFacts {
  const dimms = devices.reduce((sum, { type, size }) => sum + (type === "dimm" ? size : 0), 0);
  const memory = { ...liveOf().memory, size: 2 * GIB + dimms, dimms, actual: GIB + dimms, devices };
  const memoryBackends = new Map([...devices.map(({ memdev }) => memdev), ...backends].map((id) => [id, "memory-backend-ram"]));
  return factsOf({ config: bare, live: liveOf({ memory, memoryBackends, memoryRoom: hotplug }), ...changes });
}

describe("a DIMM of the config", () => {
  test("is words of args, added at their end and removed by its id", () => {
    const plan = planOf(to(1024), "static", stoppedFacts({ config: bare }));
    expect(plan).toMatchObject({ refusals: [], changes: [{ static: { before: 0, needed: true } }] });
    expect(JSON.parse(plan.text ?? "").args).toEqual([...BALLOON, ...WORDS]);
    expect(changedLines(textOf(bare), plan.text).join()).toMatch(/pc-dimm,id=dimm1/);
    const back = planOf(to(0), "static", stoppedFacts({ config: fitted }));
    expect(back.text).toBe(textOf(bare));
    expect(planOf(to(1024), "static", stoppedFacts({ config: fitted }))).toMatchObject({ text: null, refusals: [] });
  });

  test("comes into a config without args", () => {
    const config = configOf({ memory: { hotplug }, args: [] });
    const text = textOf(config).replace(/,?\s*"args": \[\]/, "");
    expect(text).not.toContain("args");
    const stored = { path: "/web1.json", text };
    const planned = plan({ name: "web1", changes: [to(1024)], scope: "static", force: false, facts: stoppedFacts({ config }), stored });
    expect([planned.refusals, JSON.parse(planned.text ?? "").args]).toEqual([[], WORDS]);
  });

  test("is removed in the notation that somebody wrote it in, with a backend before or after it", () => {
    const args = [
      "-device",
      '{"driver":"pc-dimm","id":"d.1","memdev":"m"}',
      ...BALLOON,
      "-object",
      "memory-backend-file,mem-path=/x,id=m,size=1G",
    ];
    const config = configOf({ memory: { hotplug }, args });
    expect(JSON.parse(planOf(to(0, "d.1"), "static", stoppedFacts({ config })).text ?? "").args).toEqual(BALLOON);
  });

  test.each<[string, Change, Facts, RegExp]>([
    ["without room", to(1024), stoppedFacts(), /static: memory\.hotplug of the config has no slots for DIMMs/],
    [
      "beyond the slots",
      to(128, "dimm3"),
      stoppedFacts({ config: configOf({ memory: { hotplug: { ...hotplug, slots: 1 } }, args: fitted.args }) }),
      /has 1 slots for DIMMs, and this would be number 2/,
    ],
    [
      "beyond the limit",
      to(8192),
      stoppedFacts({ config: bare }),
      /all memory together would be 10GiB, and memory\.hotplug of the config has room for 8GiB/,
    ],
    ["of another size", to(512), stoppedFacts({ config: fitted }), /DIMM dimm1 is there with 1GiB, and a DIMM can't change its size/],
    ["in a node that is not there", to(512, "d", 1), stoppedFacts({ config: bare }), /the config has no NUMA node 1, but one, 0/],
    ["with another's id", to(512, "balloon0"), stoppedFacts({ config: bare }), /args have another device or object balloon0/],
  ])("%s is refused", (_, change, facts, reason) => expect(reasonsOf(planOf(change, "static", facts)).join()).toMatch(reason));

  test.each([
    ['a"b', 128],
    ["1st", 128],
    ["", 128],
    ["dimm1", 127],
    ["dimm1", 0.5],
  ])("an id as %j with %d MiB is no DIMM's", (id, mib) =>
    expect(() => planOf(to(mib, id), "static", stoppedFacts({ config: bare }))).toThrow(/^DIMM /),
  );
});

describe("a DIMM of the running machine", () => {
  test("is plugged on a backend of a free name, and one that is left over is used again", () => {
    const step = (facts: LiveFacts) => planOf(to(128), "dynamic", facts).steps[0]?.step;
    expect(step(running([]))).toEqual({ kind: "dimm-plug", id: "dimm1", memdev: "dimm1-ram", size: 128 * MIB, node: 0, isLeft: false });
    expect(step(running([], {}, ["dimm1-ram"]))).toMatchObject({ memdev: "dimm1-ram", isLeft: true });
    expect(step(running([{ ...dimmOf(GIB, "other"), memdev: "dimm1-ram" }]))).toMatchObject({ memdev: "dimm1-ram-2", isLeft: false });
  });

  test("is unplugged, and what a plug left over is removed", () => {
    expect(planOf(to(0), "dynamic", running([dimmOf(GIB)])).steps).toMatchObject([
      { step: { kind: "dimm-unplug", memdev: "dimm1-ram", noReturn: null } },
    ]);
    expect(planOf(to(0), "dynamic", running([], {}, ["dimm1-ram"])).steps).toEqual([
      { change: 0, step: { kind: "dimm-backend", memdev: "dimm1-ram" } },
    ]);
    expect(planOf(to(0), "dynamic", running([])).steps).toEqual([]);
  });

  test("is refused without slots or room, with another size, and while the guest is to let go of it", () => {
    expect(reasonsOf(planOf(to(128, "d3"), "dynamic", running([dimmOf(GIB), dimmOf(GIB, "d2")]))).join()).toMatch(
      /2 slots for DIMMs.* number 3/,
    );
    expect(reasonsOf(planOf(to(4096), "dynamic", running([virtioMemOf(0)]))).join()).toMatch(
      /together would be 10GiB, and the running QEMU has room for 8GiB/,
    );
    expect(reasonsOf(planOf(to(128), "dynamic", running([dimmOf(GIB)]))).join()).toMatch(/can't change its size/);
    const leaving = running([dimmOf(GIB)], { asked: { dimms: ["dimm1"] } });
    expect(reasonsOf(planOf(to(1024), "dynamic", leaving)).join()).toMatch(/asked to let go of DIMM dimm1 and has not done it yet/);
    expect(planOf(to(0), "dynamic", leaving)).toMatchObject({ refusals: [], steps: [{}] });
    expect(diffOf(leaving).find(({ resource }) => resource === "dimm dimm1")?.why).toMatch(
      /^waits for the guest: asked to let go of it; changed on one side/,
    );
  });
});

describe("the memory of a machine counts DIMMs in both halves", () => {
  test("the config's number has those of args on top of what the balloon leaves", () => {
    expect(diffOf(stoppedFacts({ config: fitted })).find(({ resource }) => resource === "memory")).toMatchObject({ config: 2 * GIB });
    const plan = planOf({ resource: "memory", size: 1536 * MIB }, "static", stoppedFacts({ config: fitted }));
    expect(JSON.parse(plan.text ?? "").memory).toMatchObject({ current: "512MiB" });
    expect(reasonsOf(planOf({ resource: "memory", size: GIB }, "static", stoppedFacts({ config: fitted })))).toEqual([
      "static: memory 1GiB is not above the 1GiB of DIMMs in args, which a start leaves to the guest",
    ]);
    expect(reasonsOf(planOf({ resource: "memory", size: 4 * GIB }, "static", stoppedFacts({ config: fitted })))).toEqual([
      "static: memory 4GiB is above memory.max 2GiB of the config and the 1GiB of DIMMs in its args",
    ]);
  });

  test("a DIMM on one side only differs by itself, and not the memory too", () => {
    const facts = running([dimmOf(GIB)]);
    expect(
      diffOf(facts)
        .filter(({ why }) => why !== null)
        .map(({ resource }) => resource),
    ).toEqual(["dimm dimm1"]);
    expect(changesToRevert(facts)).toEqual(expect.arrayContaining([to(0), { resource: "memory", size: GIB }]));
    const persist = planOf(changesToPersist(facts), "static", facts);
    expect(JSON.parse(persist.text ?? "")).toMatchObject({ memory: { current: "1024MiB" }, args: [...BALLOON, ...WORDS] });
  });

  test("that came while the guest does not run has to be taken first: an unplug would never be heard", () => {
    const stands = (dimm: MemoryDevice, untakenMemory: readonly string[]): LiveFacts => {
      const facts = running([dimm]);
      return { ...facts, live: { ...facts.live, status: "paused", running: false, untakenMemory } };
    };
    const came = { ...dimmOf(GIB), hotplugged: true } as const;
    expect(reasonsOf(planOf(to(0), "dynamic", stands(came, ["dimm1"])))).toEqual([
      expect.stringMatching(/the guest is paused and has not taken DIMM dimm1 yet.*never hear that it is to let go/),
    ]);
    expect(reasonsOf(planOf(to(0), "dynamic", stands(came, [])))).toEqual([]);
    // The guest says nothing of the slot of one that it was started with.
    expect(reasonsOf(planOf(to(0), "dynamic", stands(dimmOf(GIB), ["dimm1"])))).toEqual([]);
  });

  test("in one set the DIMM goes first; a paused guest is not asked for both", () => {
    const grow = planOf([{ resource: "memory", size: 3 * GIB }, to(1024)], "dynamic", running([]));
    expect(grow.steps.map(({ step }) => step.kind)).toEqual(["dimm-plug", "balloon"]);
    expect(planOf([{ resource: "memory", size: GIB }, to(1024)], "dynamic", running([])).steps).toHaveLength(2);
    const shrink = [{ resource: "memory", size: 1536 * MIB } as const, to(0)];
    expect(planOf(shrink, "dynamic", running([dimmOf(GIB)])).steps).toMatchObject([
      { step: { kind: "dimm-unplug" } },
      { step: { kind: "balloon", after: ["dimm1"] } },
    ]);
    const paused = running([dimmOf(GIB)]);
    const frozen = { ...paused, live: { ...paused.live, status: "paused", running: false } };
    expect(reasonsOf(planOf(shrink, "dynamic", frozen)).join()).toMatch(
      /DIMM dimm1 leaves with the same change, and a balloon that moves meanwhile/,
    );
  });
});

test("a new DIMM has the first id that neither half has", () => {
  expect(newDimm(128 * MIB)(stoppedFacts({ config: fitted }))).toEqual([to(128, "dimm2")]);
  expect(newDimm(128 * MIB)(running([dimmOf(GIB, "dimm2")], { config: fitted }, ["dimm3-ram"]))).toEqual([to(128, "dimm4")]);
  expect(() => newDimm(1)).toThrow(/not a multiple of 2MiB/);
});

test("what there is room for is read from -m, in all its uses, and from -machine", () => {
  expect(roomIn(["-m", "size=1G", "-m", "slots=4,maxmem=4G"])).toEqual({ slots: 4, limit: 4 * GIB });
  expect(roomIn(["-machine", "q35,memory.max-size=2G,memory.slots=1"])).toEqual({ slots: 1, limit: 2 * GIB });
  expect(roomIn(["-m", "512"])).toEqual({ slots: 0, limit: 0 });
  expect(roomIn(["-m", "maxmem=lots"])).toBeNull();
});
