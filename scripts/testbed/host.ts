import { createHash } from "node:crypto";
import { access, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { KEYRING } from "./apt.ts";
import { isOnPath, run } from "./command.ts";

/** The release of the host: its own Node is new enough, and its systemd knows only cgroup v2. */
const SUITE = "trixie";

const PACKAGES: readonly string[] = [
  ...["systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "udev", "linux-image-cloud-amd64"],
  ...["openssh-server", "iproute2", "procps", "util-linux", "at", "nodejs", "qemu-system-x86"],
];

/** Commands that building takes, and the Debian package of each. */
export const HOST_TOOLS: ReadonlyMap<string, string> = new Map([
  ["debootstrap", "debootstrap"],
  ["mkfs.ext4", "e2fsprogs"],
  ["ssh", "openssh-client"],
  ["ssh-keygen", "openssh-client"],
]);

const SETUP = new URL("host-setup.sh", import.meta.url);
/** The size of its disk, of which a file system without holes takes about half. */
const DISK = "3G";

/**
 * Builds a small Debian to boot: `<folder>/disk.img`, `vmlinuz`, `initrd.img`, and the `key` for ssh. Does nothing if the same one is there
 * already. Takes root, about a minute and a gigabyte.
 *
 * @throws Error when it can't be built here
 */
export async function buildHost(mirror: string, folder: string): Promise<string> {
  const recipe = await recipeOf();
  const stamp = join(folder, "recipe");
  const present = await readFile(stamp, "utf8").catch(() => undefined);
  if (present === recipe && (await isThere(join(folder, "disk.img")))) return "already there";
  if (process.geteuid?.() !== 0) throw new Error("only root can build it");
  for (const [tool, from] of HOST_TOOLS)
    if (!(await isOnPath(tool))) throw new Error(`${tool} is missing: apt-get install --no-install-recommends ${from}, or use --install`);

  await rm(stamp, { force: true });
  await mkdir(folder, { recursive: true });
  const root = join(folder, "root");
  await removeTree(root);
  await bootstrap(root, mirror);
  await makeKey(join(folder, "key"));
  await copyFile(join(folder, "key.pub"), join(root, "authorized_keys"));
  await copyFile(SETUP, join(root, "setup.sh"));
  await inItself(["chroot", root, "sh", "/setup.sh"]);
  await rm(join(root, "setup.sh"));
  for (const [name, start] of [
    ["vmlinuz", "vmlinuz-"],
    ["initrd.img", "initrd.img-"],
  ] as const) {
    const file = (await readdir(join(root, "boot"))).find((each) => each.startsWith(start));
    await copyFile(join(root, "boot", file ?? name), join(folder, name));
  }
  await makeDisk(root, join(folder, "disk.img"));
  await removeTree(root);
  await writeFile(stamp, recipe);
  return `Debian ${SUITE}`;
}

/** Everything that decides what is built: another recipe is another host. */
async function recipeOf(): Promise<string> {
  const digest = createHash("sha256");
  for (const file of [SETUP, new URL(import.meta.url)]) digest.update(await readFile(file));
  return `${digest.digest("hex")}\n`;
}

async function bootstrap(root: string, mirror: string): Promise<void> {
  const words = ["--variant=minbase", `--keyring=${KEYRING}`, `--include=${PACKAGES.join(",")}`, SUITE, root, mirror];
  await inItself(["debootstrap", ...words]).catch(async (cause: unknown) => {
    const log = await readFile(join(root, "debootstrap", "debootstrap.log"), "utf8").catch(() => "");
    throw new Error(`debootstrap: ${log.trim().split("\n").at(-1) || String(cause)}`, { cause });
  });
}

/** Runs a command with mounts of its own: what it mounts goes when it ends, also when it fails. */
async function inItself(words: readonly string[]): Promise<void> {
  await run("unshare", ["--mount", "--propagation", "private", "--", ...words]);
}

async function makeKey(path: string): Promise<void> {
  if (!(await isThere(path))) await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", path]);
}

/** Written beside and renamed: a disk that is there is whole. */
async function makeDisk(root: string, path: string): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await run("mkfs.ext4", ["-q", "-F", "-O", "^has_journal", "-d", root, draft, DISK]);
  await rename(draft, path);
}

/** What is mounted below is left alone, and then this fails. */
async function removeTree(path: string): Promise<void> {
  await run("rm", ["-rf", "--one-file-system", path]);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
