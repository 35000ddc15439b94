import { constants } from "node:fs";
import { lstat, mkdir, open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HostError, messageOf, UnsafeError, UsageError } from "../errors.ts";
import type { RuntimeFiles } from "./argv.ts";
import type { Folders } from "./folders.ts";
import { ownUid } from "./own-user.ts";

/** A domain's own run-time folder and the files in it. Only the folder's owner can enter it, which keeps its sockets private. */
export interface RuntimePaths extends RuntimeFiles {
  readonly key: string;
  readonly folder: string;
  /** The file that writers lock. */
  readonly lock: string;
  /** The record of a change that is being made. */
  readonly journal: string;
}

/** The most bytes that a Unix socket's path can have on Linux: sun_path of unix(7), without its closing NUL. */
const SOCKET_PATH = 107;

/** The run-time files of the domain with this key. UsageError where the paths are too long for sockets. */
export function runtimePaths(folders: Folders, key: string): RuntimePaths {
  const folder = join(folders.runtime, key);
  const [control, watch] = [join(folder, "control.sock"), join(folder, "watch.sock")];
  const length = new TextEncoder().encode(control).length;
  if (length > SOCKET_PATH) {
    throw new UsageError(`${control}: ${length} bytes are too long for a socket, which can have ${SOCKET_PATH}`, { value: control, expected: "a shorter name, or a shorter folder in QMPCTL_RUNTIME_DIR" });
  }
  return { key, folder, control, watch, pidfile: join(folder, "pid"), log: join(folder, "log"), lock: join(folder, "lock"), journal: join(folder, "journal") };
}

/** Makes a domain's run-time folder (0700) where missing. UnsafeError where somebody else made it, or can enter it. */
export async function openRuntime(paths: RuntimePaths): Promise<void> {
  await makeFolder(dirname(paths.folder), true);
  await checkFolder(dirname(paths.folder), 0o022);
  await makeFolder(paths.folder, false);
  await checkFolder(paths.folder, 0o077);
}

/** Whether a domain's run-time folder is there and ours. UnsafeError where it is there and not ours. */
export async function hasRuntime(paths: RuntimePaths): Promise<boolean> {
  if ((await lstat(paths.folder).catch(() => undefined)) === undefined) return false;
  await checkFolder(paths.folder, 0o077);
  return true;
}

/** The keys of all domains that have a run-time folder, sorted: running ones, and some that were. */
export async function listRuntime(folders: Folders): Promise<readonly string[]> {
  const entries = await readdir(folders.runtime, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
}

/** The process id in a domain's pidfile; undefined where there is none. UnsafeError where it isn't ours or holds anything else. */
export async function readPid(paths: RuntimePaths): Promise<number | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(paths.pidfile, flags).catch((cause: unknown) => {
    if ((cause as { readonly code?: string }).code === "ENOENT") return undefined;
    if ((cause as { readonly code?: string }).code === "ELOOP") throw new UnsafeError(paths.pidfile, "a symbolic link, not a pidfile of ours", { cause });
    throw new HostError(`${paths.pidfile}: ${messageOf(cause)}`, {}, { cause });
  });
  if (file === undefined) return undefined;
  await using _closing = { [Symbol.asyncDispose]: () => file.close() };
  const stat = await file.stat();
  if (!stat.isFile() || stat.uid !== ownUid()) throw new UnsafeError(paths.pidfile, "not a pidfile of ours");
  const buffer = new Uint8Array(32);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const text = new TextDecoder().decode(buffer.subarray(0, bytesRead)).trim();
  if (text === "") return undefined; // made, and not yet written
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new UnsafeError(paths.pidfile, `${JSON.stringify(text)} is no process id`);
  return Number(text);
}

/** Whether a socket of ours is at the path. UnsafeError where something else is, or somebody else's. */
export async function hasSocket(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return false;
  if (!stat.isSocket()) throw new UnsafeError(path, "not a socket");
  if (stat.uid !== ownUid()) throw new UnsafeError(path, `belongs to user ${stat.uid}`);
  return true;
}

async function makeFolder(path: string, recursive: boolean): Promise<void> {
  try {
    await mkdir(path, { recursive, mode: 0o700 });
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "EEXIST") return;
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}

async function checkFolder(path: string, forbidden: number): Promise<void> {
  const stat = await lstat(path).catch((cause: unknown) => {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  });
  const uid = ownUid();
  if (stat.isSymbolicLink()) throw new UnsafeError(path, "a symbolic link, a run-time folder must be a real one");
  if (!stat.isDirectory()) throw new UnsafeError(path, "not a folder");
  if (stat.uid !== uid) throw new UnsafeError(path, `belongs to user ${stat.uid}, not to the one who runs this (${uid})`);
  if ((stat.mode & forbidden) !== 0) throw new UnsafeError(path, `open to others (mode ${(stat.mode & 0o777).toString(8)}), chmod 700 it`);
}
