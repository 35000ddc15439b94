import { execFileSync } from "node:child_process";
import { stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene } from "../../scripts/lab/scene.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { endOf } from "./end-of.ts";

const grow = (disk: string, size: number): Change => ({ resource: "disk-size", disk, size });
const found = await qemusInTime();
/** A guest takes its time to boot: where time is short, only the newest has one. */
const withGuest = found.length > 2 ? found : found.slice(-1);

describe.each(withGuest)("a guest's disk on QEMU $version", (qemu) => {
  test("it sees the new size, as the image has it", async () => {
    await using images = await imagesOf();
    await using scene = await openScene(qemu, { guest: { words: ["qmpctl.drives=on"] }, args: images.args });
    await scene.start();
    await scene.console.says(/^GUEST-DISK vda 2048$/);
    expect(await scene.domain.change(grow("raw0", 4 * MIB), { scope: "both" })).toMatchObject({ outcome: "applied" });
    await scene.console.says(/^GUEST-DISK vda 8192$/);
    expect((await stat(images.at("d,1.raw"))).size).toBe(4 * MIB);
  });
});

describe.each(found)("sizes of disks on QEMU $version", (qemu) => {
  test("each scope in each state: raw, qcow2, one on a backing file, and an odd raw one", async () => {
    await using images = await imagesOf();
    await using scene = await openScene(qemu, { args: images.args });
    const { domain } = scene;
    const names = ["raw0", "q0", "top0", "odd0"];
    let size = 2 * MIB;
    const walk = async (): Promise<Record<string, readonly string[]>> => {
      const table: Record<string, string[]> = {};
      for (const name of names)
        for (const scope of ["current", "static", "dynamic", "both"] as const)
          (table[name] ??= []).push(await endOf(domain, grow(name, (size += MIB)), scope));
      return table;
    };
    const same = (ends: readonly string[]): Record<string, readonly string[]> => Object.fromEntries(names.map((name) => [name, ends]));
    expect(await walk()).toEqual(same(["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"]));
    expect(images.sizeOf("top.qcow2")).toBe(2 * MIB + 10 * MIB);
    await scene.start({ paused: true });
    expect(await walk()).toEqual(same(["skipped/applied", "refused: static", "skipped/applied", "applied/applied"]));
    expect(images.sizeOf("top.qcow2")).toBe(size - 4 * MIB);
    expect(images.sizeOf("base.qcow2")).toBe(MIB);
    expect((await domain.diff()).filter(({ resource }) => resource.startsWith("disk-size"))).toEqual([]);
  });

  test("never smaller, not read-only, nothing that is no image; a set does it last, and what fails before leaves it", async () => {
    await using images = await imagesOf();
    await using scene = await openScene(qemu, { args: images.args });
    const { domain } = scene;
    const refused = async (change: Change, why: RegExp): Promise<void> => void (await expect(domain.change(change)).rejects.toThrow(why));
    for (const isUp of [false, true]) {
      if (isUp) await scene.start({ paused: true });
      await refused(grow("raw0", MIB / 2), /disk raw0 has 1MiB, more than 512KiB: a disk never shrinks/);
      await refused(grow("ro0", 2 * MIB), /disk ro0 is read-only/);
      await refused(grow("raw9", 2 * MIB), /no disk raw9/);
    }
    await expect(domain.change(grow("raw0", MIB + 100))).rejects.toThrow(/sectors of 512 bytes/);
    expect(await domain.change(grow("raw0", MIB), { scope: "both" })).toMatchObject({ outcome: "unchanged" });
    const set = [grow("raw0", 2 * MIB), { resource: "disk-medium", disk: "cd0", medium: images.at("nosuch") } as const];
    await expect(domain.change(set, { scope: "both" })).rejects.toMatchObject({ code: "rolled-back" });
    expect((await stat(images.at("d,1.raw"))).size).toBe(MIB);
    // The null disk can't grow: QEMU says so, and nothing has changed.
    await expect(domain.change(grow("null0", 2 * MIB))).rejects.toMatchObject({ code: "rolled-back" });
    const plan = await domain.change(grow("raw0", 2 * MIB), { dryRun: true });
    expect(plan.steps).toMatchObject([{ noUndo: expect.stringContaining("never shrinks") }]);
  });

  test("another QEMU holds the image: qemu-img says so, and nothing is done", async () => {
    await using images = await imagesOf();
    await using one = await openScene(qemu, { args: images.args });
    await using other = await openScene(qemu, { name: "other", args: images.args });
    await one.start({ paused: true });
    await expect(other.domain.change(grow("raw0", 2 * MIB))).rejects.toThrow(/Failed to get "write" lock|Is another process using/);
    expect((await stat(images.at("d,1.raw"))).size).toBe(MIB);
    const info = await other.domain.info();
    expect([info.state, "interrupted" in info]).toEqual(["stopped", false]);
  });
});

interface Images extends AsyncDisposable {
  readonly args: readonly string[];
  at(name: string): string;
  sizeOf(name: string): number;
}

/** A folder with images of 1 MiB, and the words of disks that are in them. */
async function imagesOf(): Promise<Images> {
  const folder = await privateFolder();
  const at = (name: string): string => join(folder.path, name);
  for (const [name, size] of [
    ["d,1.raw", MIB],
    ["odd.raw", 1_000_001],
    ["ro.raw", MIB],
  ] as const) {
    await writeFile(at(name), "");
    await truncate(at(name), size);
  }
  for (const name of ["q.qcow2", "base.qcow2"]) execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", at(name), "1M"]);
  execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-b", at("base.qcow2"), "-F", "qcow2", at("top.qcow2")]);
  const node = (name: string, format: string, file: string): readonly string[] => [
    ...["-blockdev", `driver=${format},node-name=n-${name},file.driver=file,file.filename=${at(file).replaceAll(",", ",,")}`],
    ...["-device", `virtio-blk-pci,drive=n-${name},id=${name}`],
  ];
  return {
    args: [
      ...[...node("raw0", "raw", "d,1.raw"), ...node("q0", "qcow2", "q.qcow2"), ...node("top0", "qcow2", "top.qcow2")],
      ...["-drive", `if=virtio,id=odd0,format=raw,file=${at("odd.raw")}`],
      ...["-drive", `if=virtio,id=ro0,format=raw,read-only=on,file=${at("ro.raw")}`],
      ...[
        "-blockdev",
        "null-co,node-name=null0,size=1048576",
        "-device",
        "virtio-blk-pci,drive=null0,id=null0",
        "-device",
        "ide-cd,id=cd0",
      ],
    ],
    at,
    sizeOf: (name) =>
      Number(
        (JSON.parse(execFileSync("qemu-img", ["info", "-U", "--output=json", at(name)], { encoding: "utf8" })) as Record<string, number>)[
          "virtual-size"
        ],
      ),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
