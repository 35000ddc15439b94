import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Change } from "../../src/domain/resources/registry.ts";
import type { Domain } from "../../src/index.ts";
import { PORT_ARGS } from "../lab/fake-devices.ts";
import { DISK, DISK_ARGS, DRIVE, DRIVE_ARGS } from "../lab/fake-disks.ts";
import { failure, has } from "./expect.ts";
import type { Scenarios } from "./scenario.ts";
import { MIB } from "./stage.ts";

/** Disks and devices: limits, and what comes and goes. */
export const disks: Scenarios = {
  attach: {
    tells:
      "a disk and a network card are plugged in QEMU's own words in both halves, and are there at the next start; what can't be is refused",
    through: "library",
    setting: { args: ["-machine", "q35", ...PORT_ARGS, "-device", "pcie-root-port,id=rp2,chassis=2,slot=2"] },
    play: async ({ domain, config }) => {
      const device = (id: string, words: string): Change => ({ resource: "device", id, words });
      const disk = "-blockdev null-co,node-name=n1,size=1048576 -device virtio-blk-pci,drive=n1,id=d1,bus=rp1,serial=007";
      const card = "-netdev user,id=u1,restrict=on,dnssearch=a,dnssearch=b -device virtio-net-pci,netdev=u1,id=nic1,bus=rp2,vectors=4";
      await domain.start({ paused: true });
      has(await failure(domain.change(device("r1", "-device virtio-rng-pci,id=r1")), "refused"), { message: /pcie\.0/ });
      has(await domain.change([device("d1", disk), device("nic1", card)], { scope: "both" }), { outcome: "applied" });
      has(await failure(domain.change(device("r1", "-device virtio-rng-pci,id=r1,bus=rp1")), "refused"), { message: /taken by d1/ });
      has((await domain.disks())[0], { disk: "d1", node: "n1", size: 1_048_576 });
      // A guest that has not begun to run never hears of it.
      has(await failure(domain.change(device("nic1", "absent")), "refused"), { message: /has not started yet/ });
      has(await domain.change(device("d1", "absent"), { scope: "static" }), { outcome: "applied" });
      await domain.destroy();
      await domain.start({ paused: true });
      has(await domain.disks(), []);
      has(await domain.change(device("d1", disk)), { outcome: "applied" });
      has(await domain.persist({ resource: "device" }), { outcome: "applied" });
      has((await config()).args.slice(-4), disk.split(" "));
    },
  },

  detach: {
    tells: "a disk and a network card leave a guest that runs, each with what it uses, when the guest has let go of it",
    through: "library",
    setting: { args: ["-machine", "q35", ...PORT_ARGS, "-device", "pcie-root-port,id=rp2,chassis=2,slot=2"] },
    play: async ({ domain, guest }) => {
      const device = (id: string, words: string): Change => ({ resource: "device", id, words });
      const disk = "-blockdev null-co,node-name=n1,size=1048576 -device virtio-blk-pci,drive=n1,id=d1,bus=rp1";
      const card = "-netdev user,id=u1,restrict=on -device virtio-net-pci,netdev=u1,id=nic1,bus=rp2";
      await domain.start();
      await guest.booted();
      has(await domain.change([device("d1", disk), device("nic1", card)]), { outcome: "applied" });
      has((await domain.disks())[0], { disk: "d1", node: "n1" });
      // One after the other: which of two goes first is the guest's choice.
      has(await domain.change(device("d1", "absent")), { outcome: "applied" });
      has(await domain.change(device("nic1", "absent")), { outcome: "applied" });
      has(await domain.disks(), []);
    },
  },

  stats: {
    tells: "what QEMU counts of disks and drives, by their names, since its start",
    through: "library",
    setting: { args: [...DISK_ARGS, ...DRIVE_ARGS] },
    play: async ({ domain }) => {
      await domain.start({ paused: true });
      const stats = await domain.stats();
      has(stats, { state: "paused", memory: { current: 512 * MIB, max: 512 * MIB }, vcpus: { 0: { vcpu: 0 } }, nets: [] });
      has(
        stats.disks.find(({ disk }) => disk === DISK),
        { readBytes: 0, writtenBytes: 0, reads: 0, failedWrites: 0 },
      );
      has(
        stats.disks.find(({ disk }) => disk === DRIVE),
        { flushes: 0, writeTime: 0 },
      );
    },
  },

  blockresize: {
    tells: "the disk of a running machine grows with its image, and never shrinks",
    through: "library",
    play: async ({ domain, edit, folder }) => {
      const image = join(folder, "disk.raw");
      await writeFile(image, Buffer.alloc(4096));
      const words = [
        "-blockdev",
        `driver=raw,node-name=n0,file.driver=file,file.filename=${image}`,
        "-device",
        "virtio-blk-pci,drive=n0,id=d0",
      ];
      await edit(({ args }) => void args.push(...words));
      const grow = (size: number): Change => ({ resource: "disk-size", disk: "d0", size });
      await domain.start({ paused: true });
      has(await domain.change(grow(8192), { dryRun: true }), { outcome: "planned", steps: [{ noUndo: /never shrinks/ }] });
      has(await domain.change(grow(8192), { scope: "dynamic" }), {
        outcome: "applied",
        changes: [{ dynamic: { before: 4096, actual: 8192 } }],
      });
      has(await failure(domain.change(grow(4096), { scope: "dynamic" }), "refused"), { message: /has 8KiB, more than 4KiB/ });
      has(await failure(domain.change(grow(16_384), { scope: "static" }), "refused"), { message: /has the image in use/ });
    },
  },

  "change-media": {
    tells: "a medium is put into a drive, replaced and taken out in both halves; what fails puts back what was in, by its node",
    through: "library",
    setting: {
      args: ["-blockdev", "null-co,node-name=n0,size=4096,read-only=on", "-device", "ide-cd,id=cd1,bus=ide.1,drive=n0", ...DRIVE_ARGS],
    },
    play: async ({ domain, config }) => {
      // Files that are on every host.
      const [first, second, none] = ["/etc/passwd", "/etc/group", "/etc/no/such/file"];
      const put = (medium: string, disk = DRIVE): Change => ({ resource: "disk-medium", disk, medium });
      const inDrive = async (name = DRIVE): Promise<unknown> => (await domain.disks()).find(({ disk }) => disk === name);
      await domain.start({ paused: true });
      has(await domain.change(put(first), { scope: "both" }), { outcome: "applied" });
      has((await config()).args.at(-1), /^driver=raw,node-name=cd0-medium,read-only=on,.*passwd$/);
      has(await failure(domain.change(put(none), { scope: "both" }), "rolled-back"), { message: /No such file/ });
      has(await inDrive(), { file: first, trayOpen: false });
      has(await failure(domain.change([put(second, "cd1"), put(none)]), "rolled-back"), { message: /No such file/ });
      has(await inDrive("cd1"), { node: "n0", trayOpen: false });
      has(await domain.change(put(second, "cd1")), { outcome: "applied", steps: [{ what: /group/ }, { what: /n0/ }] });
      has(await domain.change(put("none")), { outcome: "applied" });
      has(await domain.persist({ resource: "disk-medium" }), { outcome: "applied" });
      has((await config()).args.slice(-5, -4), ["ide-cd,id=cd1,bus=ide.1,drive=cd1-medium"]);
      has(await inDrive(), { file: null });
    },
  },

  blkdeviotune: {
    tells: "a disk is limited in both halves, now and at a start; two disks share a group; reverted and persisted",
    through: "library",
    setting: { args: [...DISK_ARGS, "-drive", "if=virtio,driver=null-co,size=1048576"] },
    play: async ({ domain, config }) => {
      const limit = (disk: string, limits: string): Change => ({ resource: "disk-throttle", disk, limits });
      await domain.start({ paused: true });
      has(await limitsOf(domain), { [DISK]: "none", virtio0: "none" });
      has(await domain.change(limit(DISK, "iops=100,bps=10M"), { scope: "both" }), { outcome: "applied" });
      has(await config(), { disks: { throttle: { [DISK]: { iops: 100, bps: 10_485_760 } } } });
      has(await domain.change(limit("virtio0", "iops-rd=9,iops-rd-max=20,group=slow")), { outcome: "applied" });
      has(await failure(domain.change(limit(DISK, "iops=5,group=slow")), "refused"), { message: /virtio0 in it/ });
      has(await domain.change(limit(DISK, "iops-rd=9,iops-rd-max=20,group=slow")), { outcome: "applied" });
      has(await failure(domain.change(limit("hda", "iops=5")), "refused"), { message: /no disk hda/ });
      has(await domain.persist({ resource: "disk-throttle" }), { outcome: "applied" });
      has(await domain.change(limit(DISK, "none"), { scope: "both" }), { outcome: "applied" });
      await domain.destroy();
      await domain.start({ paused: true });
      has(await limitsOf(domain), { [DISK]: "none", virtio0: "iops-rd=9,iops-rd-max=20,group=slow" });
      has(await domain.change(limit("virtio0", "none")), { outcome: "applied" });
      has(await domain.revert({ resource: "disk-throttle" }), { outcome: "applied" });
    },
  },
};

/** The limits of each disk on the running machine. */
async function limitsOf(domain: Domain): Promise<Readonly<Record<string, string | null>>> {
  return Object.fromEntries((await domain.disks()).map(({ disk, live }) => [disk, live]));
}
