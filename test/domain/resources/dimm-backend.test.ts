import { describe, expect, test } from "vitest";
import { BALLOON, configOf, dimmOf, factsOf, GIB, liveOf, MIB, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import type { MemoryBackend } from "../../../src/config/memory-backend.ts";
import { recordOf } from "../../../src/domain/change/journal.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import { plugDimm, unplugDimm } from "../../../src/domain/resources/dimm-steps.ts";
import { type Change, kindOf, withValue } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert } from "../../../src/domain/views/diff.ts";

const to = (mib: number): Change => ({ resource: "dimm", id: "dimm1", size: mib * MIB, node: 0 });
const hotplug = { slots: 2, limit: 8 * GIB };
const MEMFD: MemoryBackend = { type: "memory-backend-memfd", properties: { share: false } };
const WORDS = [
  ...["-object", "memory-backend-memfd,id=dimm1-ram,size=1G,share=off"],
  ...["-device", "pc-dimm,id=dimm1,memdev=dimm1-ram,node=1"],
];
const numa = ["-numa", "node", "-numa", "node"];
const bare = configOf({ memory: { hotplug }, args: [...BALLOON, ...numa] });
const fitted = configOf({ memory: { hotplug }, args: [...BALLOON, ...numa, ...WORDS] });

/** A machine with a DIMM on node 1, whose memory comes from this. */
function running(backend: MemoryBackend | string, config = bare): LiveFacts {
  const dimm = { ...dimmOf(GIB), node: 1 };
  const memory = { ...liveOf().memory, size: 3 * GIB, dimms: GIB, actual: 2 * GIB, devices: [dimm] };
  const backends = { memoryBackends: new Map([["dimm1-ram", MEMFD.type]]), dimmBackends: new Map([["dimm1-ram", backend]]) };
  return factsOf({ config, live: liveOf({ memory, ...backends, memoryRoom: hotplug }) });
}

describe("a DIMM whose memory comes from something else than usual", () => {
  test("is plugged back on the same, where it was", () => {
    const facts = running(MEMFD);
    const { steps, refusals } = planOf(to(0), "dynamic", facts);
    expect([refusals, steps]).toMatchObject([[], [{ step: { kind: "dimm-unplug", backend: MEMFD, node: 1, noReturn: null } }]]);
    const [back] = unplugDimm.inverse(steps[0]?.step as never, liveOf(), facts.live) as never[];
    expect(back).toMatchObject({ kind: "dimm-plug", backend: MEMFD, node: 1 });
    expect(plugDimm.sends(back as never, facts)).toBe(
      'object-add {"qom-type":"memory-backend-memfd","id":"dimm1-ram","size":1073741824,"share":false}, device_add {"driver":"pc-dimm","id":"dimm1","memdev":"dimm1-ram","node":1}',
    );
  });

  test("comes back by the record of the change as well, in both halves; no command says that", () => {
    const facts = running(MEMFD, fitted);
    const [{ back, configBack } = {}] = recordOf("both", planOf(to(0), "both", facts), facts, null).changes;
    const undo = (value: unknown): Change => withValue(to(0), value as string);
    expect(undo(back)).toEqual(undo(configBack));
    const gone = factsOf({ config: bare, live: liveOf({ memoryRoom: hotplug }) });
    const plan = planOf(undo(back), "both", gone);
    expect(plan).toMatchObject({ refusals: [], steps: [{ step: { kind: "dimm-plug", backend: MEMFD, node: 1, size: GIB } }] });
    expect(JSON.parse(plan.text ?? "").args).toEqual([...BALLOON, ...numa, ...WORDS]);
    expect(kindOf(undo(back)).command(undo(back), "web1")).toBeNull();
    // One on the usual memory is what a command can say, with its node.
    const usual = withValue(to(0), JSON.stringify({ size: GIB, node: 1 }));
    expect(kindOf(usual).command(usual, "web1")).toBe("plugmem web1 1GiB --id dimm1 --node 1");
  });

  test("is kept by persist, and comes back by revert, in its own words", () => {
    const persist = planOf(changesToPersist(running(MEMFD)), "static", running(MEMFD));
    expect(JSON.parse(persist.text ?? "").args).toEqual([...BALLOON, ...numa, ...WORDS]);
    const revert = changesToRevert(factsOf({ config: fitted, live: liveOf({ memoryRoom: hotplug }) }));
    expect(planOf(revert, "dynamic", factsOf({ config: fitted, live: liveOf({ memoryRoom: hotplug }) })).steps).toMatchObject([
      { step: { kind: "dimm-plug", backend: MEMFD, node: 1 } },
    ]);
  });

  test("is not taken out where it could not be put back, unless that is asked for", () => {
    const facts = running("it is a memory-backend-epc, which is not known here");
    expect(reasonsOf(planOf(to(0), "both", facts))).toEqual([
      "dynamic: DIMM dimm1 could not be plugged back: of its memory dimm1-ram, it is a memory-backend-epc, which is not known here: so it comes back only with the next start",
    ]);
    expect(planOf(to(0), "dynamic", facts, true)).toMatchObject({
      refusals: [],
      steps: [{ step: { noReturn: expect.stringMatching(/comes back only with the next start/) as string } }],
    });
    expect(planOf(to(0), "static", stoppedFacts({ config: fitted })).refusals).toEqual([]);
  });

  test("that is on its way out is not unplugged for who insists that it stays", () => {
    const facts = { ...running(MEMFD), asked: { dimms: ["dimm1"] } };
    expect(planOf(to(1024), "dynamic", facts, true)).toMatchObject({ refusals: [], steps: [] });
  });

  test("is asked for by no text that is none", () => {
    for (const backend of ["x", '{"type":"iothread"}'])
      expect(() => planOf({ ...to(128), backend } as Change, "static", stoppedFacts({ config: bare }))).toThrow(/is no memory backend/);
  });
});
