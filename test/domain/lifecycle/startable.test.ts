import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { configOf } from "../../../scripts/lab/facts.ts";
import type { LaunchConfig } from "../../../src/config/launch.ts";
import { filesOf, mustBeStartable } from "../../../src/domain/lifecycle/startable.ts";
import { onlineCpus } from "../../../src/host/taskset.ts";
import { ownFolder } from "../../config/folder.ts";
import { definedDomain, failure } from "../scene.ts";

describe("the files of a command line", () => {
  test.each([
    [
      ["-kernel", "/boot/vmlinuz", "-initrd", "initrd.img", "-append", "/not/this"],
      ["/boot/vmlinuz", "initrd.img"],
    ],
    [["disk.img", "-m", "1G"], ["disk.img"]],
    [
      ["-hda", "a.img", "--cdrom", "b.iso", "-readconfig", "vm.cfg"],
      ["a.img", "b.iso", "vm.cfg"],
    ],
    [["-drive", "file=/srv/a,,b.qcow2,format=qcow2,if=virtio"], ["/srv/a,b.qcow2"]],
    [["-drive", "if=none,id=d0,media=cdrom"], []],
    [["-blockdev", "driver=file,node-name=d,filename=/srv/a.raw"], ["/srv/a.raw"]],
    [["-blockdev", "driver=qcow2,node-name=d,file.driver=file,file.filename=/srv/a.qcow2"], ["/srv/a.qcow2"]],
    [["-blockdev", '{"driver":"qcow2","node-name":"d","file":{"driver":"file","filename":"/srv/j.qcow2"}}'], ["/srv/j.qcow2"]],
    [["-blockdev", '{"driver":'], []],
    [
      ["-smbios", "file=/srv/smbios.bin", "-smbios", "type=1,serial=7", "-fw_cfg", "name=opt/x,file=/srv/x", "-fw_cfg", "opt/y,string=z"],
      ["/srv/smbios.bin", "/srv/x"],
    ],
    // QEMU looks for those in folders of its own.
    [["-bios", "bios.bin", "-pflash", "OVMF.fd"], []],
    [
      ["-bios", "/srv/bios.bin", "-pflash", "./OVMF.fd"],
      ["/srv/bios.bin", "./OVMF.fd"],
    ],
    // What is read by a protocol, or handed over, is no file.
    [
      [
        "-drive",
        "file=nbd://host/x",
        "-drive",
        "file=http://host/a.iso",
        "-drive",
        "file=fat:rw:/srv/dir",
        "-drive",
        "file=json:{}",
        "-hda",
        "/dev/fdset/1",
        "-hdb",
        "",
      ],
      [],
    ],
    // Sockets, pidfiles and logs are made, not read.
    [["-chardev", "socket,id=c,path=/run/x.sock,server=on", "-pidfile", "/run/x", "-D", "/var/log/x", "-serial", "file:/tmp/serial"], []],
  ])("%j: %j", (args, files) => {
    expect(filesOf(args)).toEqual(files);
  });
});

describe("what can be checked before a start", () => {
  async function check(changes: Partial<LaunchConfig>, make: (folder: string) => unknown = () => undefined): Promise<unknown> {
    const folder = await ownFolder();
    await make(folder);
    const config: LaunchConfig = { ...configOf(), emulator: "true", args: [], ...changes };
    return mustBeStartable({ config, path: join(folder, "web1.json") } as Parameters<typeof mustBeStartable>[0]).then(
      () => null,
      (error: unknown) => ({ error, folder }),
    );
  }

  test("is all there: nothing is said", async () => {
    expect(
      await check({ args: ["-kernel", "vmlinuz", "-hda", "link"] }, async (folder) => {
        await writeFile(join(folder, "vmlinuz"), "");
        await symlink("vmlinuz", join(folder, "link"));
      }),
    ).toBeNull();
  });

  test("is that the emulator is there, and a program", async () => {
    const cases: readonly (readonly [string | ((folder: string) => string), string])[] = [
      ["no-such-qemu", "there is no such program"],
      ["/no/such/qemu", "there is no such program"],
      [(folder) => join(folder, "text"), "a file that may not be run"],
      [(folder) => folder, "a folder, not a program"],
    ];
    for (const [emulator, why] of cases) {
      const folder = await mkdtemp(join(await ownFolder(), "x"));
      await writeFile(join(folder, "text"), "", { mode: 0o600 });
      const path = typeof emulator === "string" ? emulator : emulator(folder);
      expect(await check({ emulator: path })).toMatchObject({ error: { code: "host", message: `web1: ${path}: ${why}`, command: [path] } });
    }
  });

  test("is which files are missing: all of them at once, in the folder of the config", async () => {
    const found = await check({ args: ["-kernel", "vmlinuz", "-hda", "/no/such/disk.img", "-initrd", "here"] }, (folder) =>
      writeFile(join(folder, "here"), ""),
    );
    const { folder } = found as { readonly folder: string };
    expect(found).toMatchObject({
      error: {
        code: "refused",
        state: "unstartable",
        message: `web1: it can't start, and nothing was touched: ${folder}/vmlinuz: there is no such file; /no/such/disk.img: there is no such file`,
      },
    });
  });

  test("is that a link leads somewhere", async () => {
    expect(await check({ args: ["-hda", "link"] }, (folder) => symlink("gone", join(folder, "link")))).toMatchObject({
      error: { code: "refused" },
    });
  });

  test("is that the CPUs of its pins are there, for the vCPUs that it starts with", async () => {
    const absent = Math.max(...(await onlineCpus())) + 1;
    const pinned = (pin: Readonly<Record<string, string>>) => ({ vcpus: { max: 4, current: 2, pin } });
    expect(await check(pinned({ 0: "0", 1: `0,${absent}` }))).toMatchObject({
      error: {
        code: "refused",
        message: expect.stringContaining(`vCPU 1 is pinned to CPU ${absent}, which this host does not have online`) as string,
      },
    });
    const threads = { emulator: String(absent), iothreads: { io0: String(absent), io1: String(absent) } };
    expect(await check({ threads, args: ["-object", "iothread,id=io0"] })).toMatchObject({
      error: { message: expect.stringMatching(/QEMU is pinned to CPU \d+.*; iothread io0 is pinned to CPU \d+[^;]*$/) as string },
    });
    // One that comes later is pinned when it comes.
    expect(await check(pinned({ 0: "0", 2: String(absent) }))).toBeNull();
  });
});

test.each([
  [["-device", "virtio-blk-pci,drive=n,id=d1"], 1],
  [["-device", "virtio-blk-pci,drive=n,id=d9"], 0],
  // QEMU names this one by itself, and a file of sections may name any.
  [["-hda", "/dev/null"], 0],
])("limits of a disk that args %j do not have are refused before anything is done (%j)", async (args, count) => {
  const config: LaunchConfig = { ...configOf({ args }), emulator: "true", disks: { throttle: { d9: { iops: 5 }, d8: {} } } };
  const checked = mustBeStartable({ config, path: "/x/web1.json" } as Parameters<typeof mustBeStartable>[0]);
  if (count === 0) await checked;
  else await expect(checked).rejects.toThrow("nothing was touched: disks.throttle limits d9, and the config has no disk d9");
});

test("a start that can't be leaves nothing behind, and no record", async () => {
  const scene = await definedDomain(configOf({ args: ["-kernel", "/no/such/kernel", "-device", "virtio-balloon-pci"] }));
  const emulator = join(scene.options.configDir, "qemu-true");
  await symlink("/bin/true", emulator);
  await writeFile(scene.place.config?.path ?? "", (await scene.text()).replace("qemu-system-x86_64", emulator));
  expect(await failure(scene.domain.start(), Error)).toMatchObject({ code: "refused", state: "unstartable" });
  expect(await scene.domain.info()).toMatchObject({ state: "stopped" });
  expect(await scene.domain.info()).not.toHaveProperty("interrupted");
  await expect(rm(scene.books.journal)).rejects.toThrow("ENOENT");
  await expect(rm(scene.runtime.folder, { recursive: true })).rejects.toThrow("ENOENT");
});
