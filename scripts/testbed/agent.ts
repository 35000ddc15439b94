import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { run } from "./command.ts";
import type { CpioEntry } from "./cpio.ts";

/** The packages of the guest agent, of what makes its disk, and of their libraries. */
export const AGENT_PACKAGES: readonly string[] = [
  "qemu-guest-agent",
  "libc6",
  "libglib2.0-0",
  "libnuma1",
  "libpcre2-8-0",
  "libudev1",
  "liburing2",
  "e2fsprogs",
  "libext2fs2",
  "libcom-err2",
  "libblkid1",
  "libuuid1",
];

/** The module for the channel of the agent. */
export const AGENT_MODULE = "virtio_console";

/** The modules for a disk, in memory, with a file system that can be frozen: one in memory alone can't. */
export const DISK_MODULES: readonly string[] = ["loop", "crc32c_generic", "ext4"];

const LIBRARIES: readonly string[] = [
  "libc.so.6",
  "libglib-2.0.so.0",
  "libgmodule-2.0.so.0",
  "libm.so.6",
  "libnuma.so.1",
  "libpcre2-8.so.0",
  "libudev.so.1",
  "liburing.so.2",
];
const LOADER = "ld-linux-x86-64.so.2";

/** A module's name, and its bytes. */
export interface Module {
  readonly name: string;
  readonly data: Uint8Array;
}

/** The files of a guest with an agent, in addition to those of every guest. `disk`: the modules for its disk, in loading order. */
export async function agentFiles(tree: string, module: Module, disk: readonly Module[]): Promise<CpioEntry[]> {
  const found = await readdir(tree, { recursive: true });
  const read = async (name: string): Promise<Buffer> => {
    const path = found.find((each) => basename(each) === name);
    if (path === undefined) throw new Error(`${name} is in none of the packages ${AGENT_PACKAGES.join(" ")}`);
    return readFile(await realpath(join(tree, path)));
  };
  return [
    ...["agent", "lib", "lib/x86_64-linux-gnu", "lib64", "run", "var", "var/run", "disk"].map((name) => ({ name })),
    { name: "agent/qemu-ga", data: await read("qemu-ga") },
    ...[module, ...disk].map(({ name, data }) => ({ name: `modules/${name}.ko`, data })),
    { name: "agent/modules", data: Buffer.from(`${disk.map(({ name }) => name).join("\n")}\n`) },
    { name: "agent/disk", data: await emptyDisk(tree) },
    { name: `lib64/${LOADER}`, data: await read(LOADER) },
    ...(await Promise.all(LIBRARIES.map(async (name) => ({ name: `lib/x86_64-linux-gnu/${name}`, data: await read(name) })))),
  ];
}

/** A disk of a megabyte with an empty file system, made by the suite's own tool and libraries, whatever this host has. */
async function emptyDisk(tree: string): Promise<Buffer> {
  const path = join(tree, "disk");
  const libraries = ["lib", "usr/lib"].map((folder) => join(tree, folder, "x86_64-linux-gnu")).join(":");
  await run(join(tree, "lib64", LOADER), ["--library-path", libraries, join(tree, "sbin", "mke2fs"), "-q", "-t", "ext2", path, "1M"]);
  return readFile(path);
}
