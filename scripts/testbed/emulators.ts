import { access, chmod, lstat, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { closeSuite, openSuite, unpackWithDependencies } from "./apt.ts";
import { run } from "./command.ts";

/** Debian releases and their QEMUs: 5.2, 10.0 and the newest. */
export const SUITES: readonly string[] = ["bullseye", "trixie", "sid"];

const LIBRARIES = "usr/lib/x86_64-linux-gnu";

/**
 * Puts the QEMU of a Debian release into `<folder>/<suite>`, runnable as `<folder>/bin/qemu-system-x86_64-<suite>`.
 * Resolves with its version. Does nothing if it runs already.
 */
export async function fetchEmulator(suite: string, mirror: string, folder: string): Promise<string> {
  const command = join(folder, "bin", `qemu-system-x86_64-${suite}`);
  const present = await versionOf(command).catch(() => undefined);
  if (present) return present;
  const base = join(folder, suite);
  await rm(base, { recursive: true, force: true });
  const index = await openSuite(suite, mirror, base);
  const root = join(base, "root");
  await unpackWithDependencies(index, ["qemu-system-x86", "seabios", "libc6"], root);
  await linkTopFolders(root);
  await closeSuite(index);
  await writeCommand(command, root);
  return versionOf(command);
}

/** The first line of `--version`, without the copyright. */
export async function versionOf(command: string): Promise<string> {
  return ((await run(command, ["--version"])).split("\n")[0] ?? "").replace(/^QEMU emulator version /, "");
}

/** In a release with a merged /usr, `dpkg -x` makes no links. The base package of the release would make them. */
async function linkTopFolders(root: string): Promise<void> {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    const there = await lstat(join(root, name)).catch(() => undefined);
    if (!there) await symlink(`usr/${name}`, join(root, name));
  }
}

async function writeCommand(command: string, root: string): Promise<void> {
  const loader = await firstOf([`${root}/${LIBRARIES}/ld-linux-x86-64.so.2`, `${root}/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2`]);
  const libraries = [LIBRARIES, "lib/x86_64-linux-gnu", `${LIBRARIES}/pulseaudio`].map((name) => `$root/${name}`).join(":");
  const text = `#!/bin/sh
# Its own C library and loader: the machine's may be older than this QEMU was built for.
root='${root}'
export QEMU_MODULE_DIR="$root/${LIBRARIES}/qemu"
exec '${loader}' --library-path "${libraries}" "$root/usr/bin/qemu-system-x86_64" \\
  -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
`;
  await mkdir(join(command, ".."), { recursive: true });
  const draft = `${command}.new`;
  await writeFile(draft, text);
  await chmod(draft, 0o755);
  await rename(draft, command);
}

async function firstOf(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const there = await access(path).then(
      () => true,
      () => false,
    );
    if (there) return path;
  }
  throw new Error(`none of these was unpacked: ${paths.join(", ")}`);
}
