import { describe, expect, test } from "vitest";
import {
  BALLOON,
  changedLines,
  configOf,
  factsOf,
  GIB,
  liveOf,
  MIB,
  planOf,
  reasonsOf,
  stoppedFacts,
  textOf,
  VIRTIO_MEM,
  virtioMemOf,
} from "../../../scripts/lab/facts.ts";
import { planAsking } from "../../../src/domain/change/plan-asking.ts";
import type { Facts, LiveFacts } from "../../../src/domain/facts/facts.ts";
import { memoryDevicesOf, type VirtioMem } from "../../../src/domain/facts/memory-devices.ts";
import type { Scope } from "../../../src/domain/model/change.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { wholeMemory } from "../../../src/domain/resources/whole-memory.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";

const to = (mib: number, id = "vm0"): Change => ({ resource: "memory-plugged", id, size: mib * MIB });
const config = configOf({ args: [...BALLOON, ...VIRTIO_MEM] });
/** A machine of 2 GiB, of which the balloon leaves 1 GiB, and these devices. */
const withDevices = (devices: readonly VirtioMem[], changes: Partial<Facts> = {}): LiveFacts =>
  factsOf({ config, live: liveOf({ memory: { ...liveOf().memory, devices } }), ...changes });

describe("a virtio-mem device of the config", () => {
  test("is one key of the file, and none if args ask for the same by themselves", () => {
    const plan = planOf(to(512), "static", stoppedFacts({ config }));
    expect(plan).toMatchObject({ refusals: [], changes: [{ static: { before: 0, needed: true } }] });
    expect(JSON.parse(plan.text ?? "")).toMatchObject({ memory: { plugged: { vm0: "512MiB" } } });
    const kept = configOf({ memory: { plugged: { vm0: 512 * MIB } }, args: config.args });
    expect(changedLines(textOf(kept), planOf(to(256), "static", stoppedFacts({ config: kept })).text)).toEqual(['"vm0": "256MiB"']);
    expect(JSON.parse(planOf(to(0), "static", stoppedFacts({ config: kept })).text ?? "")).toMatchObject({ memory: { plugged: {} } });
  });

  test("counts before requested-size of args", () => {
    const args = config.args.map((word) => (word.startsWith("virtio-mem-pci") ? `${word},requested-size=1G` : word));
    const own = configOf({ args });
    expect(planOf(to(1024), "static", stoppedFacts({ config: own }))).toMatchObject({ text: null, refusals: [] });
    expect(JSON.parse(planOf(to(0), "static", stoppedFacts({ config: own })).text ?? "")).toMatchObject({
      memory: { plugged: { vm0: "0B" } },
    });
    const [row] = diffOf(stoppedFacts({ config: configOf({ memory: { plugged: { vm0: 0 } }, args }) })).filter(({ resource }) =>
      resource.startsWith("memory-plugged"),
    );
    expect(row).toMatchObject({ resource: "memory-plugged vm0", config: 0, live: null, why: null });
  });

  test.each<[string, Change, string]>([
    ["is not there", to(512, "vm1"), "static: there is no virtio-mem device vm1: the config's args have vm0"],
    ["is asked for a part of a block", to(513), "static: 513MiB is no multiple of 2MiB, the block of virtio-mem vm0"],
    ["is asked for more than is behind it", to(5120), "static: 5GiB is above the 4GiB of memory behind virtio-mem vm0"],
  ])("that %s is refused", (_, change, reason) => expect(reasonsOf(planOf(change, "static", stoppedFacts({ config })))).toEqual([reason]));

  test("may stand in a file that -readconfig names", () => {
    const hidden = configOf({ args: [...BALLOON, "-readconfig", "devices.cfg"] });
    expect(planOf(to(512), "static", stoppedFacts({ config: hidden })).refusals).toEqual([]);
  });
});

describe("a virtio-mem device of the running machine", () => {
  test("is asked for another size, and goes back to what it was asked for before", () => {
    const facts = withDevices([virtioMemOf(GIB, { size: 512 * MIB })]);
    const plan = planOf(to(256), "dynamic", facts);
    expect(plan.steps).toEqual([{ change: 0, step: { kind: "virtio-mem", id: "vm0", target: 256 * MIB, before: GIB, actual: 512 * MIB } }]);
    expect(plan.changes[0]?.dynamic).toEqual({ before: 512 * MIB, needed: true });
  });

  test("that gives what is wanted, and was asked for it, is not asked again", () => {
    expect(planOf(to(1024), "dynamic", withDevices([virtioMemOf(GIB)])).steps).toEqual([]);
    expect(planOf(to(1024), "dynamic", withDevices([virtioMemOf(0, { size: GIB })])).steps).toHaveLength(1);
    expect(planOf(to(1024), "dynamic", withDevices([virtioMemOf(GIB, { size: 0 })])).steps).toHaveLength(1);
  });

  test("is refused with those that there are, in whole blocks of what is behind it", () => {
    const facts = withDevices([virtioMemOf(0), virtioMemOf(0, { id: "vm.1" })]);
    expect(reasonsOf(planOf(to(1, "vm9"), "dynamic", facts))).toEqual([
      "dynamic: there is no virtio-mem device vm9: the running machine has vm0, vm.1",
    ]);
    expect(planOf(to(4097, "vm.1"), "dynamic", facts).refusals).toMatchObject([
      { reason: "4097MiB is no multiple of 2MiB, the block of virtio-mem vm.1", instead: "4GiB" },
      { reason: "4097MiB is above the 4GiB of memory behind virtio-mem vm.1" },
    ]);
    expect(reasonsOf(planOf(to(2), "dynamic", factsOf()))).toEqual([
      "dynamic: there is no virtio-mem device vm0: the running machine has none",
    ]);
  });

  test("is not there on a QEMU that has none: since when it is, is said", () => {
    for (const [text, first] of [
      ["5.0.1", /^QEMU 5.0.1 has no virtio-mem, which came with 5.1/],
      ["4.2.0", /^QEMU 4.2.0 has no virtio-mem/],
      ["5.1.0", /^there is no virtio-mem device vm0/],
    ] as const) {
      const facts = factsOf({ live: liveOf({ version: { major: Number(text[0]), text } }) });
      expect(planOf(to(2), "dynamic", facts).refusals[0]?.reason).toMatch(first);
    }
  });
});

describe("diff", () => {
  const why = (device: VirtioMem, isUp?: boolean | null): string | null | undefined => {
    const facts = withDevices([device]);
    const drivers = isUp === undefined ? {} : { virtioMemDrivers: new Map([["vm0", isUp]]) };
    return diffOf({ ...facts, live: { ...facts.live, ...drivers } }).find(({ resource }) => resource === "memory-plugged vm0")?.why;
  };

  test("tells target and actual apart, and why the guest has not followed", () => {
    expect(why(virtioMemOf(0))).toBeNull();
    expect(why(virtioMemOf(GIB))).toMatch(/^changed on one side only/);
    expect(why(virtioMemOf(GIB, { size: 0 }), false)).toMatch(
      /^waits for the guest: asked to go to 1GiB; no driver in the guest works it: .* a reset takes away all that it gave; changed on one side/,
    );
    expect(why(virtioMemOf(GIB, { size: 0 }))).toMatch(/has taken nothing of it yet: .* as after a reset/);
    expect(why(virtioMemOf(0, { size: GIB }), true)).toMatch(
      /^waits for the guest: asked to go to 0B; the guest is at 1GiB .* may never be able to$/,
    );
  });

  test("revert asks for what the config says, persist writes what was asked for, also of a guest that has not followed", () => {
    const facts = withDevices([virtioMemOf(GIB, { size: 0 })]);
    expect(changesToRevert(facts)).toContainEqual(to(0));
    expect(changesToPersist(facts)).toContainEqual(to(1024));
  });

  test("has a row for a device that only one side has, which is neither reverted nor persisted", () => {
    const facts = withDevices([virtioMemOf(GIB, { id: "vm1" })]);
    expect(diffOf(facts).filter(({ resource }) => resource.startsWith("memory-plugged"))).toMatchObject([
      { resource: "memory-plugged vm0", config: 0, live: 0, why: "waits for the next start: the running machine has no such device" },
      { resource: "memory-plugged vm1", config: null, live: GIB, why: "not in the config's args: the next start has it not" },
    ]);
    for (const changes of [changesToRevert(facts), changesToPersist(facts)])
      expect(changes.filter(({ resource }) => resource === "memory-plugged")).toEqual([]);
  });
});

describe("setmem without a word of which", () => {
  const planned = async (mib: number, facts: Facts, scope: Scope = "current") => {
    const stored = facts.config === null ? null : { path: "/etc/qmpctl/web1.json", text: textOf(facts.config) };
    return (await planAsking("web1", wholeMemory(mib * MIB), { scope, force: true, facts, stored }, null, {})).planned;
  };
  const bare = configOf({ memory: { max: 2 * GIB, current: 2 * GIB }, args: VIRTIO_MEM });
  const bareLive = (devices: readonly VirtioMem[], size = 2 * GIB) =>
    liveOf({ memory: { size, actual: null, balloon: null, guest: null, devices } });

  test("is the balloon's, where there is no virtio-mem", async () => {
    expect((await planned(512, factsOf())).changes[0]?.change).toEqual({ resource: "memory", size: 512 * MIB });
    expect((await planned(512, stoppedFacts())).changes[0]?.change).toEqual({ resource: "memory", size: 512 * MIB });
  });

  test("is all of the memory, where a virtio-mem device gives the rest", async () => {
    const facts = factsOf({ config: bare, live: bareLive([virtioMemOf(0)]) });
    expect((await planned(3072, facts)).changes[0]?.change).toEqual(to(1024));
    expect((await planned(3072, facts, "both")).changes[0]).toMatchObject({
      change: to(1024),
      static: { needed: true },
      dynamic: { needed: true },
    });
    expect((await planned(2048, stoppedFacts({ config: bare }))).changes[0]?.change).toEqual(to(0));
    expect(reasonsOf(await planned(1024, facts))).toEqual([
      "dynamic: memory 1GiB is below the 2GiB that the machine has without virtio-mem vm0, and only a balloon could take of that",
    ]);
  });

  test("is refused with all words, where both or several are there", async () => {
    const both = await planned(512, withDevices([virtioMemOf(GIB)]));
    expect(both).toMatchObject({
      steps: [],
      refusals: [
        {
          leg: "dynamic",
          reason:
            "memory 512MiB could mean several things: the machine has virtio-mem vm0 (1GiB of 4GiB) and a balloon, which works in the other 2GiB",
          instead: "--device vm0 for what that device gives besides, or --balloon for what the balloon leaves of the 2GiB",
        },
      ],
    });
    const several = factsOf({ config: bare, live: bareLive([virtioMemOf(0), virtioMemOf(0, { id: "vm1" })]) });
    expect((await planned(3072, several)).refusals[0]?.instead).toBe(
      "--device vm0 for what that device gives besides, or --device vm1 for what that device gives besides",
    );
    expect(reasonsOf(await planned(512, stoppedFacts({ config })))[0]).toMatch(/^static: memory 512MiB could mean several things/);
  });

  test("is refused for both halves, if they start from different sizes", async () => {
    const facts = factsOf({ config: bare, live: bareLive([virtioMemOf(0)], GIB) });
    expect(reasonsOf(await planned(3072, facts, "both"))).toEqual([
      "static: 3GiB is not the same for both halves: without virtio-mem the machine has 1GiB, and 2GiB at its next start",
    ]);
  });

  test("says first that the machine is not there, if it is not", async () => {
    expect(reasonsOf(await planned(512, stoppedFacts({ config }), "dynamic"))).toEqual(["dynamic: the machine is not running"]);
  });
});

test("devices are read with their ids; one without goes by its path, if it is the only one", () => {
  const answer = (id?: string) => ({
    type: "virtio-mem",
    data: {
      ...(id === undefined ? {} : { id }),
      memdev: "/objects/r",
      size: 1,
      "requested-size": 2,
      "max-size": 4,
      "block-size": 1,
      node: 0,
    },
  });
  const anonymous = "/machine/peripheral-anon/device[3]";
  expect(memoryDevicesOf([answer(), answer("vm0")], [anonymous]).map(({ id }) => id)).toEqual([anonymous, "vm0"]);
  expect(memoryDevicesOf([answer(), answer()], [anonymous, `${anonymous}1`]).map(({ id }) => id)).toEqual([null, null]);
  expect(memoryDevicesOf([answer("vm0")], [])).toMatchObject([{ memdev: "r", size: 1, resizable: { target: 2, most: 4, block: 1 } }]);
});
