import { describe, expect, test } from "vitest";
import {
  BALLOON,
  changedLines,
  configOf,
  diskOf,
  driveOf,
  factsOf,
  liveOf,
  planOf,
  reasonsOf,
  stoppedFacts,
} from "../../../scripts/lab/facts.ts";
import type { LiveDisk } from "../../../src/domain/facts/disk-parts.ts";
import type { LiveMedium } from "../../../src/domain/facts/disk-parts.ts";
import type { LiveFacts } from "../../../src/domain/facts/facts.ts";
import { mediumShown } from "../../../src/domain/resources/disk-medium-steps.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { stepKindOf } from "../../../src/domain/resources/registry.ts";
import { changesToPersist, changesToRevert, diffOf } from "../../../src/domain/views/diff.ts";
import { disksIn } from "../../../src/domain/views/disks.ts";

const NODE = "driver=raw,node-name=m0,read-only=on,file.driver=file,file.filename=/a.iso";
const ARGS = [...BALLOON, "-blockdev", NODE, "-device", "ide-cd,id=cd0,drive=m0"];
const put = (medium: string, disk = "cd0"): Change => ({ resource: "disk-medium", disk, medium });
const withDrive = (drive: LiveDisk, changes: Partial<LiveFacts["live"]> = {}): LiveFacts =>
  factsOf({ config: configOf({ args: ARGS }), live: liveOf({ disks: [diskOf(), drive], ...changes }) });
const inDrive = (medium: Partial<LiveMedium>): LiveDisk => ({
  ...driveOf(null),
  medium: { ...(driveOf("/a.iso").medium as LiveMedium), ...medium },
});

test("both halves: one line of the config, one command, and the node of before is let go of when all else is done", () => {
  const plan = planOf(put("/b.iso"), "both", withDrive(inDrive({ node: "m0" })));
  expect(changedLines(JSON.stringify(ARGS, null, 2), plan.text)).toContain(`"${NODE.replace("/a.iso", "/b.iso")}",`);
  expect(plan.steps.map(({ step }) => [step.kind, stepKindOf(step).isLast === true])).toEqual([
    ["disk-medium", false],
    ["free-medium", true],
  ]);
  expect(plan.steps.map(({ step }) => stepKindOf(step).sends(step, factsOf()))).toEqual([
    'blockdev-change-medium {"id":"cd0","filename":"/b.iso","format":"raw","read-only-mode":"read-only"}',
    'blockdev-del {"node-name":"m0"}',
  ]);
});

test("what QEMU named itself is freed by QEMU, and a node beneath goes with the one on top", () => {
  expect(planOf(put("none"), "dynamic", withDrive(driveOf("/a.iso"))).steps).toHaveLength(1);
  const args = [
    "-blockdev",
    "file,node-name=f0,filename=/a.iso",
    "-blockdev",
    "raw,node-name=m0,file=f0",
    "-device",
    "ide-cd,id=cd0,drive=m0",
  ];
  const facts = { ...withDrive(inDrive({ node: "m0" })), config: configOf({ args }) };
  expect(planOf(put("none"), "dynamic", facts).steps.at(-1)).toMatchObject({ step: { nodes: ["m0", "f0"] } });
});

test("a medium that is there already is not touched", () => {
  const plan = planOf(put("raw:/a.iso"), "both", withDrive(inDrive({ node: "m0" })));
  expect([plan.steps, plan.text, plan.refusals]).toEqual([[], null, []]);
});

describe("refused, with what would work", () => {
  test.each([
    ["a disk that is no drive", put("/b.iso", "disk0"), {}, "disk disk0 of the running machine is no drive whose medium can be changed"],
    ["a drive that is not there", put("/b.iso", "cd9"), {}, "the running machine has no disk cd9"],
    [
      "a door that is held while the guest is paused",
      put("/b.iso"),
      { locked: true },
      "the guest holds the door of drive cd0, and can't open it while it is paused",
    ],
  ])("%s", (_, change, drive, reason) => {
    const facts = withDrive({ ...driveOf("/a.iso"), ...drive }, { status: "paused", running: false });
    expect(reasonsOf(planOf(change, "dynamic", facts))).toEqual([`dynamic: ${reason}`]);
  });

  test("a name that is the node's: it would go with the medium", () => {
    const facts = withDrive({ ...inDrive({ node: "n7" }), name: "n7" });
    expect(reasonsOf(planOf(put("/b.iso", "n7"), "dynamic", facts))).toEqual([
      "dynamic: drive n7 has no id: its name is that of the node in it, and goes with the medium",
    ]);
  });

  test("in the config: every reason of both halves at once", () => {
    const config = { ...configOf({ args: [...BALLOON, "-device", "ide-cd,id=cd1", "-drive", "if=virtio,id=v0,file=/d,format=raw"] }) };
    const reasons = (disk: string): readonly string[] =>
      reasonsOf(planOf(put("/b.iso", disk), "both", { ...withDrive(driveOf(null)), config }));
    expect(reasons("cd2")).toEqual(["static: the config has no drive cd2", "dynamic: the running machine has no disk cd2"]);
    expect(reasons("v0")[0]).toBe("static: disk v0 of the config is no drive whose medium can be changed");
  });

  test("an empty drive that the config limits: the next start would fail", () => {
    const config = { ...configOf({ args: ARGS }), disks: { throttle: { cd0: { iops: 5 } } } };
    expect(reasonsOf(planOf(put("none"), "static", stoppedFacts({ config })))[0]).toMatch(/limits drive cd0 \(disks\.throttle\)/);
    const both = [put("none"), { resource: "disk-throttle", disk: "cd0", limits: "none" } as const];
    expect(planOf(both, "static", stoppedFacts({ config })).refusals).toEqual([]);
  });
});

test("a held door is asked for, and opened by force only where that is wanted", () => {
  const facts = withDrive({ ...driveOf("/a.iso"), locked: true });
  const [asked, forced] = [planOf(put("/b.iso"), "dynamic", facts), planOf(put("/b.iso"), "dynamic", facts, true)].map(({ steps }) => {
    const step = steps[0]?.step ?? { kind: "" };
    return [stepKindOf(step).what(step), stepKindOf(step).sends(step, facts)];
  });
  expect(asked?.[0]).toBe("put /b.iso into drive cd0, which the guest is asked to open");
  expect(forced?.[1]).toMatch(/^blockdev-open-tray \{"id":"cd0","force":true\}; blockdev-change-medium/);
});

describe("on the way back", () => {
  const facts = withDrive(inDrive({ node: "m0" }));
  const [{ step } = { step: { kind: "" } }] = planOf(put("/b.iso"), "dynamic", facts).steps;
  const inverse = (drive: LiveDisk): unknown => stepKindOf(step).inverse(step, withDrive(drive).live, facts.live);

  test("nothing where nothing came of it", () => expect(inverse(inDrive({ node: "m0" }))).toEqual([]));
  test("only the door where only that was opened", () =>
    expect(inverse({ ...inDrive({ node: "m0" }), trayOpen: true })).toMatchObject([{ medium: "/a.iso", closeOnly: true }]));
  test("the node of before, by its name", () =>
    expect(inverse(driveOf("/b.iso"))).toMatchObject([{ medium: "/a.iso", node: "m0", before: "/b.iso" }]));
});

test("diff, revert and persist go by the file and its format", () => {
  const facts = withDrive(inDrive({ file: "/c.img", format: "qcow2" }));
  const row = diffOf(facts).find(({ resource }) => resource === "disk-medium cd0");
  expect(row).toMatchObject({ config: "/a.iso", live: "qcow2:/c.img" });
  expect(changesToRevert(facts)).toContainEqual(put("/a.iso"));
  expect(changesToPersist(facts)).toContainEqual(put("qcow2:/c.img"));
  expect(diffOf(withDrive(inDrive({}))).some(({ resource }) => resource.startsWith("disk-medium"))).toBe(false);
});

test("the file is read out of QEMU's longer names", () => {
  const json = 'json:{"driver":"raw","offset":512,"file":{"driver":"file","filename":"/a \\"b.iso"}}';
  expect(mediumShown(inDrive({ file: json }))).toBe('/a "b.iso');
  for (const other of ["nbd://h/x", 'json:{"driver":"null-co"}', "json:{"]) expect(mediumShown(inDrive({ file: other }))).toBe(other);
});

test("a device is the same whatever is in it", () => {
  const facts = withDrive(driveOf("/b.iso"), { devices: new Map([["cd0", "ide-cd"]]) });
  const asked = { devices: { cd0: `-blockdev ${NODE.replace("/a.iso", "/old.iso")} -device ide-cd,id=cd0,drive=m0` } };
  for (const each of [facts, { ...facts, asked }]) expect(diffOf(each).some(({ resource }) => resource === "device cd0")).toBe(false);
});

test("domblklist knows the name that QEMU gives a drive of a PC", () => {
  const config = configOf({ args: ["-cdrom", "/a.iso"] });
  expect(disksIn(stoppedFacts({ config }))).toMatchObject([{ disk: "ide1-cd0", file: "/a.iso", removable: true }]);
});
