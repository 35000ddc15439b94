import { describe, expect, test } from "vitest";
import { changedLines, configOf, diskOf, factsOf, liveOf, planOf, reasonsOf, stoppedFacts, textOf } from "../../../scripts/lab/facts.ts";
import type { LiveDisk } from "../../../src/domain/facts/disk-parts.ts";
import { changesOf } from "../../../src/domain/resources/allocation.ts";
import { type Change, stepKindOf } from "../../../src/domain/resources/registry.ts";
import { changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";

const ARGS = [
  ...["-drive", "if=none,id=dr0,file=/a.raw", "-device", "virtio-blk-pci,id=disk0,drive=dr0"],
  ...["-blockdev", '{"driver":"raw","node-name":"n1","file":"f1"}', "-device", "virtio-blk-pci,id=disk1,drive=n1"],
  ...["-blockdev", "throttle,node-name=f1,throttle-group=tg,file=g1", "-object", "throttle-group,id=tg,x-iops-read=9"],
  ...["-drive", "if=virtio,file=/b.raw,throttling.bps-total=77,throttling.group=args"],
];
const limits = (disk: string, text: string): Change => ({ resource: "disk-throttle", disk, limits: text });
const facts = (disks: readonly LiveDisk[], throttle = {}) =>
  factsOf({ config: { ...configOf({ args: ARGS }), disks: { throttle } }, live: liveOf({ disks }) });
const inGroup = (name: string, group: string, iops: number): LiveDisk => diskOf({ name, limits: { iops }, group });

describe("disk-throttle", () => {
  test("in the config is one key for each disk, and none where there are no limits", () => {
    const config = configOf({ args: ARGS });
    const { text } = planOf(limits("disk0", "iops=100,bps=1M"), "static", stoppedFacts({ config }));
    expect(changedLines(textOf(config), text)).toContain('"disks": { "throttle": { "disk0": { "iops": 100, "bps": 1048576 } } }');
    const limited = { ...config, disks: { throttle: { disk0: { iops: 100 } } } };
    expect(planOf(limits("disk0", "none"), "static", stoppedFacts({ config: limited })).text).not.toContain('"iops"');
  });

  test.each([
    ["what is no limit", "iops=1,nope=2", /"nope" is no limit/],
    ["a slip, with a guess", "iops-rw=2", /did you mean iops-/],
    ["reads beside the total", "iops=1,iops-rd=1", /together/],
    ["a burst below the rate", "bps=10M,bps-max=5M", /can't be lower/],
    ["a burst of no rate", "bps-max=5M", /not given/],
    ["a length of no burst", "iops=5,iops-max-length=4", /needs a iops-max|needs an? /],
    ["a size of no operations", "bps=5,iops-size=4096", /needs an iops limit/],
    ["more than QEMU takes", "bps=2000000000000000", /more than/],
    ["QEMU's own group of one disk", "iops=5,group=/machine/x", /a name/],
    ["a fraction", "iops=1.5", /whole number/],
  ])("refuses %s before anything is read", (_, text, why) => {
    expect(() => planOf(limits("disk0", text), "both")).toThrow(why);
  });

  test("is refused where words of args limit the disk, with what they say", () => {
    const wrong = (disk: string): readonly string[] =>
      reasonsOf(planOf(limits(disk, "iops=5"), "static", stoppedFacts({ config: configOf({ args: ARGS }) })));
    expect(wrong("disk1")).toEqual([expect.stringContaining("(throttle-group=tg), to iops-rd=9")]);
    expect(wrong("virtio0")).toEqual([expect.stringContaining("(throttling.bps-total), to bps=77,group=args")]);
    expect(wrong("disk9")).toEqual(["static: the config has no disk disk9"]);
    expect(wrong("dr0")).toEqual(["static: the config calls disk dr0 disk0"]);
  });

  test("sends all limits with the disk's own group, and takes them back with the group of before", () => {
    const [{ step } = { step: { kind: "" } }] = planOf(
      limits("disk0", "iops=5"),
      "dynamic",
      facts([inGroup("disk0", "slow", 9), inGroup("disk1", "slow", 9)]),
    ).steps;
    const kind = stepKindOf(step);
    const qdev = "/machine/peripheral/disk0/virtio-backend";
    expect(kind.sends(step, factsOf())).toBe(
      `block_set_io_throttle {"id":"${qdev}","bps":0,"bps_rd":0,"bps_wr":0,"iops":5,"iops_rd":0,"iops_wr":0,"group":"${qdev}"}`,
    );
    expect(kind.undoing(step, factsOf())).toContain('"iops":9,"iops_rd":0,"iops_wr":0,"group":"slow"');
  });

  test("undone, a disk that joined a group gives the others back what they had", () => {
    const before = facts([diskOf(), inGroup("disk1", "slow", 9)]);
    const [{ step } = { step: { kind: "" } }] = planOf(limits("disk0", "iops=5,group=slow"), "dynamic", before, true).steps;
    const now = liveOf({ disks: [inGroup("disk0", "slow", 5), inGroup("disk1", "slow", 5)] });
    expect(stepKindOf(step).inverse(step, now, before.live)).toMatchObject([
      { disk: "disk0", limits: "none" },
      { disk: "disk1", limits: "iops=9", group: "slow" },
    ]);
    expect(stepKindOf(step).inverse(step, before.live, before.live)).toEqual([]);
  });

  test("joins a group of other limits only by force, or if the config wants all of it so", () => {
    const live = [diskOf(), inGroup("disk1", "slow", 9)];
    const join = limits("disk0", "iops=5,group=slow");
    expect(reasonsOf(planOf(join, "dynamic", facts(live)))).toEqual([expect.stringContaining("disk1 in it, which would get these too")]);
    expect(planOf(join, "dynamic", facts(live), true).refusals).toEqual([]);
    expect(planOf(limits("disk0", "iops=9,group=slow"), "dynamic", facts(live)).refusals).toEqual([]);
    const both = { disk0: { iops: 5, group: "slow" }, disk1: { iops: 5, group: "slow" } };
    const wanted = facts(live, both);
    expect(
      planOf(
        changesToRevert(wanted).filter(({ resource }) => resource === "disk-throttle"),
        "dynamic",
        wanted,
      ).refusals,
    ).toEqual([]);
  });

  test("of a group in the config changes all of its disks, which have one set of limits", () => {
    const config = {
      ...configOf({ args: [...ARGS, "-device", "virtio-blk-pci,id=disk2,drive=n2"] }),
      disks: { throttle: { disk2: { iops: 9, group: "slow" }, disk0: { iops: 9, group: "slow" } } },
    };
    const { text } = planOf(limits("disk0", "iops=5,group=slow"), "static", stoppedFacts({ config }));
    expect(JSON.parse(text ?? "")).toMatchObject({ disks: { throttle: { disk2: { iops: 5 }, disk0: { iops: 5 } } } });
  });

  test("of a throttle node is the limits of its group, which it can't leave", () => {
    const node = diskOf({ name: "disk1", limits: { "iops-rd": 9 }, group: "tg", throttleNode: "tg" });
    const [{ step } = { step: { kind: "" } }] = planOf(limits("disk1", "bps=5"), "dynamic", facts([node])).steps;
    expect(stepKindOf(step).sends(step, factsOf())).toMatch(
      /^qom-set \{"path":"\/objects\/tg","property":"limits","value":\{"iops-total":0,.*"bps-total":5,/,
    );
    expect(reasonsOf(planOf(limits("disk1", "bps=5,group=x"), "dynamic", facts([node])))).toEqual([
      expect.stringContaining("can't leave it"),
    ]);
  });

  test("of words in args is no drift, and what somebody changed since is", () => {
    const virtio0 = (bps: number): LiveDisk => ({ ...diskOf({ limits: { bps }, group: "args" }), name: "virtio0" });
    expect(diffOf(facts([virtio0(77)])).find(({ resource }) => resource === "disk-throttle virtio0")).toMatchObject({ why: null });
    expect(changesToRevert(facts([virtio0(5)]))).toContainEqual(limits("virtio0", "bps=77,group=args"));
  });

  test("is refused for a drive without a medium, a disk that is not there, and a disk by another of its names", () => {
    const empty: LiveDisk = { ...diskOf({ name: "cd0" }), medium: null };
    const wrong = (disk: string): readonly string[] => reasonsOf(planOf(limits(disk, "iops=5"), "dynamic", facts([empty, diskOf()])));
    expect(wrong("cd0")).toEqual(["dynamic: there is nothing in cd0, and QEMU limits what is in a drive"]);
    expect(wrong("disk7")).toEqual(["dynamic: the running machine has no disk disk7"]);
    expect(wrong("/machine/peripheral/disk0/virtio-backend")).toEqual([expect.stringMatching(/calls disk .* disk0$/)]);
    expect(wrong("constructor")).toEqual(["dynamic: the running machine has no disk constructor"]);
  });

  test("stands in an allocation file as in a config, and null removes it", () => {
    expect(changesOf({ disks: { throttle: { disk0: { bps: "1M" as never }, disk1: null } } })).toEqual([
      limits("disk0", "bps=1048576"),
      limits("disk1", "none"),
    ]);
    expect(() => changesOf({ disks: { throttle: { disk0: { ipos: 5 } as never } } })).toThrow('"ipos" is no limit, did you mean iops?');
  });
});
