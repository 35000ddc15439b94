import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { AGENT_MODULE, AGENT_PACKAGES, agentFiles, DISK_MODULES, type Module } from "./agent.ts";
import { closeSuite, dependenciesOf, openSuite, unpack } from "./apt.ts";
import { run } from "./command.ts";
import { cpioArchive, type CpioEntry } from "./cpio.ts";

/** The release of the guest's kernel. It is fixed, so that a test has the same guest on every host. */
const SUITE = "bookworm";

/** The modules of the guest: PCI virtio, balloon, virtio-mem, the power button with a way to read it, disks and CD drives. */
const MODULES: readonly string[] = ["virtio_pci", "virtio_balloon", "virtio_mem", "button", "evdev", "virtio_blk", "virtio_scsi", "sr_mod"];

const APPLETS: readonly string[] = [
  "sh",
  "mount",
  "insmod",
  "cat",
  "chmod",
  "mkfifo",
  "nproc",
  "head",
  "poweroff",
  "uevent",
  "sleep",
  "eject",
];

/**
 * Builds `<folder>/vmlinuz`, `<folder>/initrd.gz`, and `<folder>/initrd-agent.gz` of the same guest with a guest agent. Does nothing if the
 * same guest is there already.
 */
export async function buildGuest(mirror: string, folder: string): Promise<string> {
  const init = await readFile(new URL("init.sh", import.meta.url));
  const stamp = join(folder, "init.sh");
  const present = await readFile(stamp).catch(() => undefined);
  if (present?.equals(init) && (await isThere(join(folder, "initrd-agent.gz")))) return "already there";

  await mkdir(folder, { recursive: true });
  const suite = await openSuite(SUITE, mirror, join(folder, "fetch"));
  const tree = join(suite.folder, "tree");
  const kernel = (await dependenciesOf(suite, "linux-image-cloud-amd64")).find((name) => /^linux-image-\d/.test(name));
  if (!kernel) throw new Error(`${SUITE} has no cloud kernel`);
  await unpack(suite, [kernel, "busybox-static", ...AGENT_PACKAGES], tree);

  const plain = gzipSync(cpioArchive(await initialFiles(tree, init)), { level: 9 });
  const modules = join(tree, "lib", "modules");
  // What it depends on is loaded already.
  const channel = await moduleAt((await modulesInOrder(modules, [AGENT_MODULE])).at(-1) ?? "");
  const disk = await Promise.all((await modulesInOrder(modules, DISK_MODULES)).map(moduleAt));
  const agent = gzipSync(cpioArchive(await agentFiles(tree, channel, disk)), { level: 9 });
  // The kernel unpacks archives that follow each other, so the second guest is the first one and more. Each is there whole or not at all.
  await replace(join(folder, "initrd.gz"), plain);
  await replace(join(folder, "initrd-agent.gz"), Buffer.concat([plain, Buffer.alloc((4 - (plain.length % 4)) % 4), agent]));
  const image = (await readdir(join(tree, "boot"))).find((name) => name.startsWith("vmlinuz-"));
  await rename(join(tree, "boot", image ?? "vmlinuz"), join(folder, "vmlinuz"));
  await writeFile(stamp, init);
  await closeSuite(suite);
  await rm(suite.folder, { recursive: true, force: true });
  return kernel;
}

async function initialFiles(tree: string, init: Uint8Array): Promise<CpioEntry[]> {
  const modules = await modulesInOrder(join(tree, "lib", "modules"), MODULES);
  return [
    ...["bin", "dev", "held", "modules", "proc", "sys"].map((name) => ({ name })),
    { name: "bin/busybox", data: await readFile(join(tree, "bin", "busybox")) },
    ...APPLETS.map((name) => ({ name: `bin/${name}`, link: "busybox" })),
    { name: "init", data: init },
    { name: "modules/order", data: Buffer.from(`${modules.map(moduleName).join("\n")}\n`) },
    ...(await Promise.all(modules.map(async (path) => ({ name: `modules/${moduleName(path)}.ko`, data: await moduleBytes(path) })))),
  ];
}

/** The files of the modules in loading order: each after its dependencies. */
async function modulesInOrder(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const files = await readdir(folder, { recursive: true });
  const byName = new Map(files.filter((file) => /\.ko(\.xz)?$/.test(file)).map((file) => [moduleName(file), join(folder, file)]));
  const builtIn = await readFile(join(folder, files.find((file) => basename(file) === "modules.builtin") ?? ""), "utf8");
  const ordered = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const path = byName.get(name);
    if (path === undefined) {
      if (builtIn.includes(`/${name}.ko`)) return;
      throw new Error(`the kernel has no module ${name}`);
    }
    for (const needed of dependenciesIn(await moduleBytes(path))) await add(needed);
    ordered.add(path);
  };
  for (const name of names) await add(name);
  return [...ordered];
}

/** A module names its dependencies in its `.modinfo` section, as `depends=a,b` between zero bytes. */
function dependenciesIn(module: Buffer): readonly string[] {
  const found = /(?:^|\0)depends=([^\0]*)\0/.exec(module.toString("latin1"));
  return found?.[1] ? found[1].split(",").map(underscored) : [];
}

async function moduleAt(path: string): Promise<Module> {
  return { name: moduleName(path), data: await moduleBytes(path) };
}

async function moduleBytes(path: string): Promise<Buffer> {
  if (path.endsWith(".xz")) await run("xz", ["--decompress", "--keep", "--force", path]);
  return readFile(path.replace(/\.xz$/, ""));
}

function moduleName(path: string): string {
  return underscored(basename(path).replace(/\.ko(\.xz)?$/, ""));
}

/** File names have dashes or underscores. For the kernel they are the same. */
function underscored(name: string): string {
  return name.replaceAll("-", "_");
}

async function replace(path: string, content: Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
