import { describe, expect, test } from "vitest";
import { configOf, diskOf, factsOf, liveOf, MIB, planOf, reasonsOf, stoppedFacts } from "../../../scripts/lab/facts.ts";
import type { ImageFacts, LaunchConfig } from "../../../src/config/launch.ts";
import { applyOff, undoOff } from "../../../src/domain/change/apply-off.ts";
import { recordsOf } from "../../../src/domain/change/apply.ts";
import type { Change } from "../../../src/domain/resources/registry.ts";
import { kindOf, stepKindOf } from "../../../src/domain/resources/registry.ts";

const grow = (size: number, disk = "disk0"): Change => ({ resource: "disk-size", disk, size });
const ARGS = [
  "-blockdev",
  "raw,node-name=disk0,file.driver=file,file.filename=/d, 1.raw",
  "-device",
  "virtio-blk-pci,drive=disk0,id=disk0",
];
const image: ImageFacts = { image: { file: "/d, 1.raw", format: "raw" }, size: MIB, readOnly: false };
const withImage = (facts: ImageFacts): LaunchConfig => ({ ...configOf({ args: ARGS }), images: { disk0: facts } });
const running = factsOf({ config: withImage(image), live: liveOf({ disks: [diskOf()] }) });

describe("of a running machine", () => {
  test("both halves are one step, which comes last and can't be taken back", () => {
    const plan = planOf([grow(2 * MIB), { resource: "disk-throttle", disk: "disk0", limits: "iops=5" }], "both", running);
    expect(plan.steps.map(({ step }) => step.kind)).toEqual(["disk-throttle", "disk-size"]);
    const [, { step } = { step: { kind: "" } }] = plan.steps;
    const kind = stepKindOf(step);
    expect([kind.isLast, kind.undoing(step, running), kind.sends(step, running)]).toEqual([
      true,
      undefined,
      'block_resize {"node-name":"disk0","size":2097152}',
    ]);
    expect(kind.noUndo?.(step)).toMatch(/never shrinks/);
    expect(plan.changes[0]?.static).toEqual({ before: MIB, needed: true });
    const grown = liveOf({ disks: [diskOf({ size: 2 * MIB })] });
    expect([kind.inverse(step, running.live, running.live), kind.inverse(step, grown, running.live)]).toEqual([
      [],
      expect.stringContaining("never shrinks"),
    ]);
  });

  test("the static half alone is refused, and nothing is done for nothing", () => {
    expect(reasonsOf(planOf(grow(2 * MIB), "static", running))).toEqual([
      "static: disk-size disk0: the running machine has the image in use, and both halves are that one image",
    ]);
    const plan = planOf(grow(MIB), "both", running);
    expect([plan.steps, plan.text, plan.changes[0]?.static?.needed]).toEqual([[], null, false]);
    // An image that can't be read is no obstacle to QEMU.
    const unread = { ...running, config: withImage({ why: "no qemu-img" }) };
    expect(planOf(grow(2 * MIB), "both", unread).steps).toHaveLength(1);
  });

  test.each([
    [
      "smaller",
      grow(MIB / 2),
      {},
      "disk disk0 has 1MiB, more than 512KiB: a disk never shrinks: what is in the part that goes would be lost",
    ],
    ["read-only", grow(2 * MIB), { readOnly: true }, "disk disk0 is read-only"],
    ["not there", grow(2 * MIB, "disk9"), {}, "the running machine has no disk disk9"],
  ])("%s is refused", (_, change, medium, reason) => {
    const facts = factsOf({ config: withImage(image), live: liveOf({ disks: [diskOf(medium)] }) });
    expect(reasonsOf(planOf(change, "dynamic", facts))).toEqual([`dynamic: ${reason}`]);
  });
});

describe("of a stopped machine", () => {
  test("qemu-img does it, with the file's name as it is", () => {
    const { steps, text } = planOf(grow(2 * MIB), "static", stoppedFacts({ config: withImage(image) }));
    const [{ step } = { step: { kind: "" } }] = steps;
    expect([stepKindOf(step).sends(step, stoppedFacts()), text]).toEqual([
      "qemu-img resize --image-opts 'driver=raw,file.driver=file,file.filename=/d,, 1.raw' 2097152",
      null,
    ]);
  });

  test.each([
    ["an image that is not known", { why: "it is gone" }, "the image of disk disk0: it is gone"],
    ["one that is read-only", { ...image, readOnly: true }, "disk disk0 is read-only"],
    ["one that is larger", { ...image, size: 4 * MIB }, /^disk disk0 has 4MiB, more than 2MiB/],
  ])("%s is refused", (_, facts, reason) =>
    expect(planOf(grow(2 * MIB), "static", stoppedFacts({ config: withImage(facts) })).refusals[0]?.reason).toMatch(reason),
  );

  test("what is done stays, and what failed left nothing", async () => {
    const step = { kind: "image-size", disk: "disk0", program: "/no/such/qemu-img", image: { file: "/nosuch", format: "raw" }, size: MIB };
    kindOf(grow(MIB));
    const records = recordsOf([
      { step, change: 0 },
      { step, change: 1 },
    ]);
    await expect(applyOff(records, { signal: undefined })).rejects.toThrow(/there is no qemu-img on this machine/);
    expect(records.map(({ outcome }) => outcome)).toEqual(["failed", "planned"]);
    if (records[1] !== undefined) records[1].outcome = "done";
    undoOff(records);
    expect(records.map(({ outcome, reason }) => [outcome, /never shrinks/.test(reason ?? "")])).toEqual([
      ["undone", false],
      ["undo-failed", true],
    ]);
  });
});

test("a size is a number of sectors", () => {
  expect(() => planOf(grow(MIB + 100), "both", running)).toThrow(/sectors of 512 bytes/);
  for (const size of [0, -512, 1.5, 2 ** 60]) expect(() => planOf(grow(size), "both", running)).toThrow();
});
