import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DISK, DISK_ARGS } from "../../scripts/lab/fake-disks.ts";
import { qemusInTime } from "../../scripts/lab/machine.ts";
import { MIB, openScene, type Scene } from "../../scripts/lab/scene.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

const limit = (disk: string, limits: string): Change => ({ resource: "disk-throttle", disk, limits });

describe.each(await qemusInTime())("limits of disks on QEMU $version", (qemu) => {
  test("every kind of disk by its own name: with an id, without, of -drive, on a throttle node, on a SCSI bus", async () => {
    await using scene = await openScene(qemu, {
      args: [
        ...["-drive", "if=none,id=dr.0,driver=null-co,size=1048576", "-device", "virtio-blk-pci,drive=dr.0,id=a.b-c_d"],
        ...["-blockdev", "null-co,node-name=n1,size=1048576", "-device", "virtio-blk-pci,drive=n1"],
        ...["-drive", "if=virtio,driver=null-co,size=1048576"],
        ...["-object", "throttle-group,id=tg,x-iops-total=50", "-blockdev", "null-co,node-name=g,size=1048576"],
        ...["-blockdev", "throttle,node-name=t,throttle-group=tg,file=g", "-blockdev", "raw,node-name=r,file=t"],
        ...["-device", "virtio-blk-pci,drive=r,id=filtered", "-device", "virtio-scsi-pci,id=sc"],
        ...["-blockdev", "null-co,node-name=s,size=1048576", "-device", "scsi-hd,bus=sc.0,drive=s,id=constructor"],
      ],
    });
    await scene.start({ paused: true });
    const { domain } = scene;
    const names = ["a.b-c_d", "n1", "virtio0", "filtered", "constructor"];
    expect((await domain.disks()).map(({ disk }) => disk).sort()).toEqual(names.toSorted());
    for (const [turn, name] of names.entries())
      expect(await domain.change(limit(name, `iops-rd=${turn + 1}`), { scope: name === "filtered" ? "dynamic" : "both" })).toMatchObject({
        outcome: "applied",
      });
    expect((await blocks(scene)).map(({ inserted }) => inserted?.["iops_rd"]).sort()).toEqual([0, 1, 2, 3, 5]);
    expect(await scene.ask("qom-get", { path: "/objects/tg", property: "limits" })).toMatchObject({ "iops-read": 4, "iops-total": 0 });
    await expect(domain.change(limit("filtered", "iops=9"), { scope: "static" })).rejects.toThrow(/throttle-group=tg/);
    expect(await domain.revert({ resource: "disk-throttle" })).toMatchObject({ outcome: "applied" });
    expect(await scene.ask("qom-get", { path: "/objects/tg", property: "limits" })).toMatchObject({ "iops-read": 0, "iops-total": 50 });
    await domain.destroy();
    await scene.start({ paused: true });
    expect((await blocks(scene)).map(({ inserted }) => inserted?.["iops_rd"]).sort()).toEqual([0, 1, 2, 3, 5]);
  });

  test("undone when the config is edited meanwhile: the values, the group, and what the others in the group had", async () => {
    await using scene = await openScene(qemu, {
      args: [...DISK_ARGS, "-drive", "if=virtio,driver=null-co,size=1048576"],
      guest: { words: ["qmpctl.balloon=off"] },
      listen: true,
    });
    await scene.start();
    const { domain } = scene;
    await domain.change(limit("virtio0", "iops=7,group=slow"));
    const before = await blocks(scene);
    // Without a driver the balloon is waited for until the deadline, which is long enough for an edit.
    const change = domain.change([limit(DISK, "iops=5,group=slow"), { resource: "memory", size: 400 * MIB }], {
      scope: "both",
      force: true,
      timeout: 3000,
    });
    await scene.heard("balloon");
    expect((await blocks(scene)).map(({ inserted }) => inserted?.["iops"])).toEqual([5, 5]);
    await scene.edit((config) => (config.note = "mine"));
    await expect(change).rejects.toMatchObject({ code: "rolled-back" });
    expect(await blocks(scene)).toEqual(before);
    expect(await scene.config()).toMatchObject({ note: "mine" });
    expect((await scene.config()).disks).toBeUndefined();
  });

  test("of a disk that somebody limits behind our back show in diff, and what QEMU refuses changes nothing", async () => {
    await using scene = await openScene(qemu, { args: DISK_ARGS });
    await scene.start({ paused: true });
    const [block] = await blocks(scene);
    const zero = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
    await scene.ask("block_set_io_throttle", { id: block?.qdev, ...zero, bps_wr: 9000, bps_wr_max: 90_000, bps_wr_max_length: 3 });
    const row = (await scene.domain.diff()).find(({ resource }) => resource === `disk-throttle ${DISK}`);
    expect(row).toMatchObject({ config: "none", live: "bps-wr=9000,bps-wr-max=90000,bps-wr-max-length=3" });
    expect(await scene.domain.persist({ resource: "disk-throttle" })).toMatchObject({ outcome: "applied" });
    expect((await scene.config()).disks).toEqual({
      throttle: { [DISK]: { "bps-wr": 9000, "bps-wr-max": 90_000, "bps-wr-max-length": 3 } },
    });
    expect(await scene.domain.change(limit(DISK, "none"), { scope: "both" })).toMatchObject({ outcome: "applied" });
    expect(await scene.domain.change(limit(DISK, "none"), { scope: "both" })).toMatchObject({ outcome: "unchanged" });
  });

  test("a config that limits a disk which is not there does not start, and says which", async () => {
    await using scene = await openScene(qemu, { args: DISK_ARGS });
    await scene.edit((config) => (config.disks = { throttle: { disk9: { iops: 5 } } }));
    await expect(scene.domain.start()).rejects.toThrow(
      /nothing was touched: disks.throttle limits disk9, and the config has no disk disk9/,
    );
    expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  });

  test("domblklist says of a stopped machine what its args say, and of a running one what QEMU says", async () => {
    await using scene = await openScene(qemu, { args: ["-device", "ide-cd,id=cd0"] });
    const image = join(scene.folder, "a, b.raw");
    await writeFile(image, "");
    await truncate(image, 3 * MIB);
    await scene.edit((config) => config.args.push("-drive", `if=virtio,id=v0,file=${image.replaceAll(",", ",,")},format=raw,read-only=on`));
    const shown = { disk: "v0", file: image, format: "raw", readOnly: true, removable: false };
    expect(JSON.parse((await scene.cli("domblklist", "web", "--json")).stdout)).toEqual([
      expect.objectContaining({ disk: "cd0", file: null, removable: true }),
      expect.objectContaining({ ...shown, size: null }),
    ]);
    await scene.start({ paused: true });
    const { stdout, code } = await scene.cli("domblklist", "web", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ disk: "cd0", file: null, removable: true }),
        expect.objectContaining({ ...shown, size: 3 * MIB }),
      ]),
    );
  });
});

interface Block {
  readonly qdev: string;
  readonly inserted?: Readonly<Record<string, unknown>>;
}

/** QEMU's own answer, in order of the devices. */
async function blocks(scene: Scene): Promise<readonly Block[]> {
  return (await scene.ask("query-block")) as readonly Block[];
}
