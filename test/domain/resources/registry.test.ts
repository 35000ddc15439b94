import { describe, expect, test } from "vitest";
import {
  BALLOON,
  configOf,
  cpuGroupOf,
  cpus,
  dimmOf,
  diskOf,
  driveOf,
  factsOf,
  GIB,
  iothreadOf,
  liveOf,
  MIB,
  planOf,
  slotsOf,
  stoppedFacts,
  VIRTIO_MEM,
  virtioMemOf,
} from "../../../scripts/lab/facts.ts";
import { verbs } from "../../../src/cli/command.ts";
import { record } from "../../../src/domain/change/journal-schema.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import { changesOf, fileKeys } from "../../../src/domain/resources/allocation.ts";
import { KINDS } from "../../../src/domain/resources/kinds.ts";
import { type Change, kindOf, type Resource, RESOURCES, stepKindOf } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";

/** A change of each resource, to another value than the facts have: a resource without one does not compile. */
const SAMPLES: { readonly [R in Resource]: Change & { readonly resource: R } } = {
  memory: { resource: "memory", size: 512 * MIB },
  dimm: { resource: "dimm", id: "dimm1", size: GIB, node: 0 },
  "memory-plugged": { resource: "memory-plugged", id: "vm0", size: 2 * GIB },
  "max-memory": { resource: "max-memory", size: 4 * GIB },
  "memory-period": { resource: "memory-period", seconds: 10 },
  vcpus: { resource: "vcpus", count: 3 },
  "guest-vcpus": { resource: "guest-vcpus", count: 1, how: "exactly" },
  "vcpus-online": { resource: "vcpus-online", vcpus: "all", online: "0,3" },
  "max-vcpus": { resource: "max-vcpus", count: 8 },
  "vcpu-pin": { resource: "vcpu-pin", vcpu: 0, cpus: "0-1" },
  "cpu-quota": { resource: "cpu-quota", quota: "150%" },
  "cpu-weight": { resource: "cpu-weight", weight: 200 },
  "emulator-pin": { resource: "emulator-pin", cpus: "0-1" },
  iothread: { resource: "iothread", iothread: "io9", state: "present" },
  "iothread-set": { resource: "iothread-set", iothread: "io0", settings: "poll-max-ns=0" },
  "iothread-pin": { resource: "iothread-pin", iothread: "io0", cpus: "0-1" },
  "vcpu-sched": { resource: "vcpu-sched", vcpu: 0, policy: "batch" },
  "emulator-sched": { resource: "emulator-sched", policy: "batch" },
  "iothread-sched": { resource: "iothread-sched", iothread: "io0", policy: "batch" },
  "vhost-pin": { resource: "vhost-pin", cpus: "0-1" },
  device: { resource: "device", id: "rng1", words: "-device virtio-rng-pci,id=rng1" },
  "disk-size": { resource: "disk-size", disk: "disk0", size: 2 * MIB },
  "disk-medium": { resource: "disk-medium", disk: "cd0", medium: "/b.iso" },
  "disk-throttle": { resource: "disk-throttle", disk: "disk0", limits: "iops=100,bps=1048576" },
};
/** What drifts another way than the rest. */
const DRIFTS: { readonly [R in Resource]?: LiveFacts } = {
  "vcpus-online": factsOf({
    live: liveOf({ slots: slotsOf(4, 1).map((slot) => (slot.first === 2 ? { ...slot, plugged: true, device: "vcpu2" } : slot)) }),
  }),
};
const each = KINDS.map((kind) => [kind.resource, kind, SAMPLES[kind.resource]] as const);

/** A config with a device for each resource that is about one. */
const config = configOf({ args: [...BALLOON, ...VIRTIO_MEM, "-object", "iothread,id=io0", "-device", "ide-cd,id=cd0"] });

/** A machine that has been given other values than its config, of every resource that can. */
const drifted = factsOf({
  config,
  asked: { devices: { rng1: "-device virtio-rng-pci,id=rng1" } },
  live: liveOf({
    slots: slotsOf(8, 3),
    vcpus: liveOf({ slots: slotsOf(8, 3) }).vcpus.map((vcpu) => ({ ...vcpu, affinity: "0-1" })),
    memory: { size: 4 * GIB, actual: 512 * MIB, balloon: "/b", guest: null, devices: [virtioMemOf(GIB), dimmOf(GIB, "dimm1")] },
    mainAffinity: cpus(0, 1),
    cpuGroup: cpuGroupOf({ quota: "50%", weight: 300 }),
    mayUse: cpus(0, 1, 2, 3),
    period: 10,
    iothreads: [iothreadOf("io0", { affinity: "0-1", policy: "batch", settings: { "poll-max-ns": 7 } }), iothreadOf("io9")],
    ownThreads: [{ tid: 4000, affinity: "0-1", policy: "idle" }],
    scheduling: { vcpus: new Map([[0, "batch"]]), main: "idle", rights: { highest: 99, leavesIdle: true } },
    vhost: [{ tid: 4200, affinity: "0-1" }],
    devices: new Map([
      ["balloon0", "virtio-balloon-pci"],
      ["rng1", "virtio-rng-pci"],
      ["cd0", "ide-cd"],
    ]),
    disks: [diskOf({ limits: { iops: 50 } }), driveOf("/a.iso")],
  }),
});

test("each resource has a place of its own in tables, in files and among the steps", () => {
  // Under its own name in the registry: what is asked for by a name is that.
  expect(RESOURCES.map((resource) => kindOf({ resource }).resource)).toEqual(RESOURCES);
  expect([...RESOURCES].sort()).toEqual(Object.keys(SAMPLES).sort());
  // Two resources may have a kind of step together, and no two kinds have one name.
  const kinds = [...new Set(KINDS.flatMap(({ stepKinds }) => stepKinds))].map(({ kind }) => kind);
  const places: readonly (readonly unknown[])[] = [KINDS.map(({ row }) => row), KINDS.map(({ inFile }) => inFile.path.join(".")), kinds];
  for (const all of places) expect(new Set(all).size).toBe(all.length);
});

/** What the guest uses is its own: nothing of it can be in a config. What an image is stands in no config either. */
const kept = each.filter(([resource]) => resource !== "guest-vcpus" && resource !== "disk-size");

describe.each(kept)("%s of both halves", (resource, kind, change) => {
  test("is planned in the config, written where it is read, and told by its label", () => {
    expect(kind.inConfig(change, kind.applied(change, config))).toBe(kind.wanted(change));
    const [edit] = kind.edits(change, config);
    // What is a device is words of args, and stands elsewhere in an allocation file.
    if (edit?.path[0] !== "args") expect(edit?.path.slice(0, 2)).toEqual(kind.inFile.path);
    expect(kind.label(change)).toMatch(new RegExp(`^${resource}( |$)`));
    expect(planOf(change, "static", stoppedFacts({ config })).changes[0]?.static?.needed).toBe(true);
  });

  test("is taken back by a change with the value of before", () => {
    const before = kind.inConfig(change, config);
    expect(before).not.toBeNull();
    const back = kind.withValue(change, before ?? 0) as Change;
    expect([kindOf(back).wanted(back), back.resource]).toEqual([before, resource]);
  });

  test("has a row in diff, and is persisted; reverted where a running machine can be changed", () => {
    const facts = DRIFTS[resource] ?? drifted;
    const row = diffOf(facts).find((it) => it.resource === kind.label(change));
    expect(row).toMatchObject({ why: expect.any(String) as string });
    expect(changesToPersist(facts).some((it) => it.resource === resource)).toBe(true);
    expect(changesToRevert(facts).some((it) => it.resource === resource)).toBe(kind.revert !== null);
  });
});

describe.each(each)("%s", (resource, kind, change) => {
  test("is read back from a journal as it was written, and not with a member that is wrong", () => {
    const journal = (it: object) => ({
      writer: 1,
      started: null,
      boot: "b",
      since: "s",
      of: null,
      machine: null,
      scope: "both",
      changes: [{ change: it, config: null, live: null, back: null }],
      threads: [],
      brings: [],
      own: [],
      config: null,
    });
    expect(record.parse(journal(change))).toMatchObject({ changes: [{ change }] });
    for (const [member, type] of Object.entries(kind.members)) {
      const wrong = type === "number" ? "1" : 1;
      expect(record.safeParse(journal({ ...change, [member]: wrong })).success).toBe(false);
    }
  });

  test("stands in an allocation file, as the help shows its shape", () => {
    const [group, key] = kind.inFile.path;
    const found = changesOf({ [group]: { [key]: JSON.parse(kind.inFile.example) as unknown } });
    expect(found).toMatchObject([{ resource }]);
    const [verb] = (kind.command(found[0] as never, "web1") ?? "").split(" ");
    expect(fileKeys()).toContainEqual({ example: kind.inFile.example, place: `${group}.${key}`, shape: kind.inFile.shape, verb });
    expect(() => changesOf({ [group]: { [key]: [] } } as never)).toThrow(`${group}.${key} is [], not `);
  });

  test("is asked for by a verb of the command line, which has a help and an example's way", async () => {
    const [name = "", ...words] = (kind.command(change, "web1") ?? "").split(" ");
    const { verb } = (await verbs[name]?.()) ?? { verb: undefined };
    expect(verb?.usage.join()).toMatch(new RegExp(`^${name} DOMAIN`));
    expect(["memory", "vcpus", "threads", "disks"]).toContain(verb?.section);
    expect(words[0]).toBe("web1");
  });

  test("has steps that say what they do and how they are taken back, each of a kind in the registry", () => {
    for (const step of kindOf(change).steps(change, drifted)) {
      const of = stepKindOf(step);
      expect(of.what(step)).not.toBe("");
      expect(of.sends(step, factsOf())).not.toBe("");
      expect(of.undoing(step, factsOf()) ?? of.noUndo?.(step)).toBeDefined();
    }
  });
});
