import { access, chmod, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { closeSuite, findMirror, openSuite, unpackWithDependencies } from "../testbed/apt.ts";

/** The Debian release with QEMU 7.2, which the tests run on too. */
const SUITE = "bookworm";

/** The other architectures to record, and the Debian package of each. */
const PACKAGES: ReadonlyMap<string, string> = new Map([
  ["aarch64", "qemu-system-arm"],
  ["ppc64", "qemu-system-ppc"],
  ["s390x", "qemu-system-misc"],
]);

/**
 * Unpacks the QEMUs of other architectures into `folder`, with the libraries of their release. It installs nothing.
 * Resolves with the commands that run them. Does nothing if they are there already.
 */
export async function fetchOtherMachines(folder: string, mirror?: string): Promise<readonly string[]> {
  const base = join(folder, "other-machines");
  const commands = [...PACKAGES.keys()].map((arch) => join(base, "bin", `qemu-system-${arch}`));
  if (await allThere(commands)) return commands;
  await rm(base, { recursive: true, force: true });
  const suite = await openSuite(SUITE, mirror ?? (await findMirror()), base);
  const root = join(base, "root");
  await unpackWithDependencies(suite, [...PACKAGES.values(), "libc6"], root);
  await closeSuite(suite);
  await mkdir(join(base, "bin"), { recursive: true });
  for (const command of commands) await writeCommand(command, root);
  return commands;
}

async function allThere(paths: readonly string[]): Promise<boolean> {
  return Promise.all(paths.map((path) => access(path))).then(
    () => true,
    () => false,
  );
}

async function writeCommand(command: string, root: string): Promise<void> {
  const libraries = "usr/lib/x86_64-linux-gnu";
  const text = `#!/bin/sh
# Its own C library and loader: the machine's may be another release's.
root='${root}'
export QEMU_MODULE_DIR="$root/${libraries}/qemu"
exec "$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$root/${libraries}:$root/lib/x86_64-linux-gnu:$root/${libraries}/pulseaudio" \\
  "$root/usr/bin/\${0##*/}" -L "$root/usr/share/qemu" "$@"
`;
  const draft = `${command}.new`;
  await writeFile(draft, text);
  await chmod(draft, 0o755);
  await rename(draft, command);
}
