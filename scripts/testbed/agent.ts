import { readdir, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import type { CpioEntry } from "./cpio.ts";

/** The guest agent and its libraries, with the packages that they are in. */
export const AGENT_PACKAGES: readonly string[] = [
  "qemu-guest-agent",
  "libc6",
  "libglib2.0-0",
  "libnuma1",
  "libpcre2-8-0",
  "libudev1",
  "liburing2",
];

/** The module for the channel of the agent. */
export const AGENT_MODULE = "virtio_console";

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

/** The files of a guest with an agent, in addition to those of every guest. `module`: the bytes of its module. */
export async function agentFiles(tree: string, module: Uint8Array): Promise<CpioEntry[]> {
  const found = await readdir(tree, { recursive: true });
  const read = async (name: string): Promise<Buffer> => {
    const path = found.find((each) => basename(each) === name);
    if (path === undefined) throw new Error(`${name} is in none of the packages ${AGENT_PACKAGES.join(" ")}`);
    return readFile(await realpath(join(tree, path)));
  };
  return [
    ...["agent", "lib", "lib/x86_64-linux-gnu", "lib64", "run", "var", "var/run"].map((name) => ({ name })),
    { name: "agent/qemu-ga", data: await read("qemu-ga") },
    { name: `modules/${AGENT_MODULE}.ko`, data: module },
    { name: `lib64/${LOADER}`, data: await read(LOADER) },
    ...(await Promise.all(LIBRARIES.map(async (name) => ({ name: `lib/x86_64-linux-gnu/${name}`, data: await read(name) })))),
  ];
}
