import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { guestArgs } from "../../scripts/lab/guest.ts";
import { launch, privateFolder, qemusInTime } from "../../scripts/lab/machine.ts";
import { openScene, type Scene, type SceneOptions } from "../../scripts/lab/scene.ts";
import { Domain } from "../../src/domain/domain.ts";
import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
import { endOf } from "./end-of.ts";

const put = (medium: string, disk = "cd0"): Change => ({ resource: "disk-medium", disk, medium });
const SCOPES: readonly Scope[] = ["current", "static", "dynamic", "both"];

const found = await qemusInTime();
/** A guest takes its time to boot: where time is short, only the newest has one. */
const withGuest = found.length > 2 ? found : found.slice(-1);

describe.each(withGuest)("a guest's drive on QEMU $version", (qemu) => {
  test("it reads the other medium, opens a door that it holds if it is asked, and keeps one that it will not open", async () => {
    await using folder = await discs();
    const [first, second] = [join(folder.path, "first"), join(folder.path, 'se,c:o "nd')];
    await using scene = await openScene(qemu, {
      guest: { words: ["qmpctl.drives=on"] },
      args: ["-device", "virtio-scsi-pci,id=sc", "-blockdev", node("m0", first), "-device", "scsi-cd,id=cd0,bus=sc.0,drive=m0"],
    });
    await scene.start();
    const { domain, console } = scene;
    const reads = async (line: string): Promise<void> => {
      await console.tell("door read");
      await console.says(new RegExp(`^GUEST-MEDIUM ${line}`));
    };
    await reads("FIRST");
    expect(await domain.change(put(second), { scope: "both" })).toMatchObject({ outcome: "applied", steps: [{}, {}] });
    await reads("SECOND");
    expect(await nodes(scene)).not.toContain("m0");
    expect((await scene.config()).args).toContain(node("m0", second));

    await console.tell("door hold");
    await expect.poll(async () => (await drive(scene)).locked, { timeout: 20_000 }).toBe(true);
    expect(await domain.change(put(first), { timeout: 60_000 })).toMatchObject({ outcome: "applied" });
    expect(await domain.revert({ resource: "disk-medium" })).toMatchObject({ outcome: "applied" });

    await console.tell("door keep");
    await expect.poll(async () => (await drive(scene)).locked, { timeout: 20_000 }).toBe(true);
    const before = await drive(scene);
    const failed = await domain.change(put("none"), { scope: "both", timeout: 2000 }).catch((error: unknown) => error);
    expect(failed).toMatchObject({
      code: "rolled-back",
      message: expect.stringContaining("the guest holds the door of drive cd0"),
      report: { notes: expect.arrayContaining([expect.stringContaining("may still do it")]) },
    });
    expect(await drive(scene)).toEqual(before);
    await domain.suspend();
    await expect(domain.change(put("none"))).rejects.toThrow(/can't open it while it is paused/);
    expect(await domain.change(put("none"), { force: true })).toMatchObject({ outcome: "applied" });
    expect(await drive(scene)).toMatchObject({ tray_open: false, removable: true });
    expect((await drive(scene)).inserted).toBeUndefined();
  });
});

describe.each(found)("media on QEMU $version", (qemu) => {
  test("the old shapes of drives: -cdrom, -drive with and without a device, a floppy; and at the next start", async () => {
    await using folder = await discs();
    const [first, second] = [join(folder.path, "first"), join(folder.path, "second")];
    // Nobody else may read what is written.
    const [floppy, other] = [join(folder.path, "floppy"), join(folder.path, 'se,c:o "nd')];
    const drives = ["ide1-cd0", "dr.0", "ide0-cd0", "floppy0"];
    const mediumFor = (name: string): string => (name === "floppy0" ? other : second);
    await using scene = await openScene(qemu, {
      guest: { machine: "pc,accel=tcg" },
      args: [
        ...["-cdrom", first, "-drive", "if=none,id=dr.0,media=cdrom", "-device", "ide-cd,drive=dr.0,bus=ide.0,unit=1"],
        ...["-drive", `media=cdrom,file=${first},format=raw,index=0`, "-fda", floppy],
      ],
    });
    expect((await scene.domain.disks()).map(({ disk }) => disk).toSorted()).toEqual(drives.toSorted());
    await scene.start({ paused: true });
    const { domain } = scene;
    for (const name of drives)
      for (const medium of [mediumFor(name), "none", mediumFor(name)])
        expect(await domain.change(put(medium, name), { scope: "both" })).toMatchObject({ outcome: "applied" });
    expect((await domain.diff()).filter(({ resource }) => /^d(isk|evice)/.test(resource))).toEqual([]);
    await domain.destroy();
    await scene.start({ paused: true });
    expect(Object.fromEntries((await domain.disks()).map(({ disk, file }) => [disk, file]))).toMatchObject(
      Object.fromEntries(drives.map((name) => [name, mediumFor(name)])),
    );
  });

  test("what fails leaves the old medium in, by the node that held it; two at once come one after the other", async () => {
    await using folder = await discs();
    const [first, second] = [join(folder.path, "first"), join(folder.path, "second")];
    await using scene = await openScene(qemu, withNode(first));
    await scene.start({ paused: true });
    const { domain } = scene;
    const before = [await drive(scene), await nodes(scene), await scene.config()];
    const fails = async (changes: readonly Change[], why: RegExp): Promise<void> => {
      await expect(domain.change(changes, { scope: "both" })).rejects.toThrow(why);
      expect([await drive(scene), await nodes(scene), await scene.config()]).toEqual(before);
    };
    await fails([put(join(folder.path, "nosuch"))], /No such file/);
    await fails([put(`qcow2:${second}`)], /not in qcow2 format/);
    // The medium is in by the time that this one is refused by QEMU.
    await fails([put(second), put(join(folder.path, "nosuch"), "cd1")], /No such file/);
    await Promise.all([domain.change(put(second), { scope: "both" }), domain.change(put("none"), { scope: "both" })]);
    const { file } = (await domain.disks()).find(({ disk }) => disk === "cd0") ?? {};
    expect([null, second]).toContain(file);
    expect((await domain.diff()).filter(({ resource }) => resource.startsWith("disk-medium"))).toEqual([]);
    expect(await nodes(scene)).not.toContain("m0");
  });

  test("each scope in each state", async () => {
    await using folder = await discs();
    await using scene = await openScene(qemu, withNode(join(folder.path, "first")));
    const { domain } = scene;
    let turn = 0;
    const walk = async (of: Domain): Promise<readonly string[]> => {
      const ends: string[] = [];
      // Each goes to a medium that neither half has.
      for (const scope of SCOPES) ends.push(await endOf(of, put(join(folder.path, `${turn++ % 8}`)), scope));
      return ends;
    };
    expect(await walk(domain)).toEqual(["applied/skipped", "applied/skipped", "refused: dynamic", "refused: dynamic"]);
    await scene.start({ paused: true });
    expect(await walk(domain)).toEqual(["skipped/applied", "applied/skipped", "skipped/applied", "applied/applied"]);
    await using machine = await launch(qemu.binary, [...guestArgs(), "-S", ...(withNode(join(folder.path, "first")).args ?? [])]);
    const transient = await Domain.open(machine.address, { ...scene.options, configDir: folder.path });
    expect(await walk(transient)).toEqual(["skipped/applied", "refused: static", "skipped/applied", "refused: static"]);
    // The disc, and the file that it is: nothing of those before is left.
    expect(await machine.ask("query-named-block-nodes")).toHaveLength(2);
  });
});

/** A folder with discs, each with its name in its first line. */
async function discs(): Promise<{ readonly path: string } & AsyncDisposable> {
  const folder = await privateFolder();
  for (const name of ["first", "second", "floppy", 'se,c:o "nd', ...Array.from({ length: 8 }, (_, number) => String(number))])
    await writeFile(
      join(folder.path, name),
      Buffer.concat([Buffer.from(`${name.startsWith("se") ? "SECOND" : "FIRST"}\n`), Buffer.alloc(1 << 18)]),
    );
  return folder;
}

function node(name: string, file: string): string {
  return `driver=raw,node-name=${name},read-only=on,file.driver=file,file.filename=${file.replaceAll(",", ",,")}`;
}

function withNode(file: string): SceneOptions {
  return { args: ["-blockdev", node("m0", file), "-device", "ide-cd,id=cd0,drive=m0,bus=ide.0", "-device", "ide-cd,id=cd1,bus=ide.1"] };
}

interface Drive {
  readonly qdev: string;
  readonly locked: boolean;
  readonly inserted?: { readonly file: string };
}

/** What QEMU says of the drive cd0. */
async function drive(scene: Scene): Promise<Drive> {
  const found = ((await scene.ask("query-block")) as readonly Drive[]).find(({ qdev }) => qdev === "cd0");
  if (found === undefined) throw new Error("there is no drive cd0");
  return found;
}

async function nodes(scene: Scene): Promise<readonly string[]> {
  return ((await scene.ask("query-named-block-nodes")) as readonly { readonly "node-name": string }[]).map((each) => each["node-name"]);
}
