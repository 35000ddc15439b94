import { accessSync, constants, existsSync, lstatSync, readFileSync, type Stats } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { HostError, messageOf, QmpctlError } from "../errors.ts";

declare const __dirname: string;

/** Where a collection of ours is put in a folder of collections. */
const PLACE = "ansible_collections/qmpctl/qemu";

/** The collection as it was installed. */
export interface Installed {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** The version that was there before; null if there was none. */
  readonly replaced: string | null;
}

/** The collection that this package ships, beside the program. @throws HostError when it is not there */
export function shippedCollection(): string {
  const places = ["../ansible", "../../dist/ansible"].map((place) => join(__dirname, place, PLACE));
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new HostError(`the package has no collection for Ansible: ${places[0]} is missing`);
  return found;
}

/**
 * Where `ansible-galaxy` would put a collection: the first folder of Ansible's path that can be written, else that of the user. Undefined
 * if nobody knows whose.
 */
export function collectionsFolder(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { HOME: home, ANSIBLE_HOME: own, ANSIBLE_COLLECTIONS_PATH: path, ANSIBLE_COLLECTIONS_PATHS: older } = env;
  const named = (path ?? older ?? "")
    .split(":")
    .filter((folder) => folder !== "")
    .map((folder) => folder.replace(/^~(?=\/|$)/, home ?? "~"));
  const usual = own !== undefined && own !== "" ? join(own, "collections") : home && join(home, ".ansible/collections");
  return named.find((folder) => canBeWritten(resolve(folder))) ?? named[0] ?? (usual || undefined);
}

/** Whether a folder can be written, or made. */
function canBeWritten(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && dirname(folder) !== folder && canBeWritten(dirname(folder));
  }
}

/**
 * Puts the collection into a folder of collections. It is copied beside its place, and put there when it is whole.
 *
 * @throws QmpctlError `refused` when something is there that is not ours; HostError when the system refuses
 */
export async function installCollection(from: string, folder: string): Promise<Installed> {
  const path = join(resolve(folder), PLACE);
  const replaced = versionThere(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const beside = await mkdtemp(join(dirname(path), ".qemu-"));
    try {
      await cp(from, join(beside, "new"), { recursive: true });
      await putThere(path, beside, replaced !== null);
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
  } catch (cause) {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
  return { name: "qmpctl.qemu", version: versionIn(from) ?? "", path, replaced };
}

async function putThere(path: string, beside: string, isThere: boolean): Promise<void> {
  const old = join(beside, "old");
  if (isThere) await rename(path, old);
  try {
    await rename(join(beside, "new"), path);
  } catch (error) {
    if (isThere) await rename(old, path);
    throw error;
  }
}

/** The version of ours that is there; null if nothing is. @throws QmpctlError when it is not ours */
function versionThere(path: string): string | null {
  const status = lookedAt(path);
  if (status === undefined) return null;
  const version = status.isDirectory() ? versionIn(path) : undefined;
  if (version !== undefined) return version;
  const what = status.isSymbolicLink() ? "a symbolic link" : status.isDirectory() ? "no collection qmpctl.qemu" : "no folder";
  throw new QmpctlError("refused", `${path}: ${what}, and left alone; remove it, or give another DIR`);
}

function lookedAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (cause) {
    // Something on the way is no folder, or may not be entered.
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}

/** The version of a collection of ours; undefined if it is none. `ansible-galaxy` leaves a manifest in place of what it was built from. */
function versionIn(path: string): string | undefined {
  const galaxy = textOf(join(path, "galaxy.yml"));
  const manifest = textOf(join(path, "MANIFEST.json"));
  const value = (key: string): string | undefined =>
    new RegExp(`^${key}:\\s*"?([^"\\s]+)`, "m").exec(galaxy)?.[1] ?? new RegExp(`"${key}":\\s*"([^"]+)"`).exec(manifest)?.[1];
  return value("namespace") === "qmpctl" && value("name") === "qemu" ? value("version") : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
