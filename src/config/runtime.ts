import { lstatSync, mkdirSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { sha256 } from "../digest.ts";
import { HostError, messageOf, UnsafeError, UsageError } from "../errors.ts";
import { statusAt } from "../file-status.ts";
import type { RuntimeFiles } from "./argv.ts";
import { type Folders, lastingFolder } from "./folders.ts";
import { ownUid } from "./own-user.ts";

/** The run-time folder of a machine, with its sockets. Only its owner can enter it, which keeps the sockets private. */
export interface RuntimePaths extends RuntimeFiles {
  readonly key: string;
  readonly folder: string;
  /** What QEMU writes on stdout and stderr: its warnings and its last messages. */
  readonly output: string;
}

/** Where the lock and the records of a machine are. The key is the machine's identity, never a name that somebody used for it. */
export interface StatePaths {
  readonly key: string;
  readonly folder: string;
  /** The file that writers lock. */
  readonly lock: string;
  /** The record of a change, or a start, in progress. */
  readonly journal: string;
  /** Notes of what was asked of the running machine. */
  readonly notes: string;
  /** The process that runs it, or that ran it last. */
  readonly process: string;
  /** What was done to it, one line each. It may be in a folder of its own, which outlives a boot of the host. */
  readonly history: string;
  /** Which changes end by themselves, and how the last one ended. */
  readonly ends: string;
  /** The program that timers of such ends run, where it was sent here by another host. */
  readonly endProgram: string;
}

/** The longest path of a Unix socket on Linux, in bytes: sun_path of unix(7), without its closing NUL. */
const SOCKET_PATH = 107;

/**
 * The run-time files of the domain with this key. A key that is too long for socket paths is shortened.
 *
 * @throws UsageError when the paths are too long even then
 */
export function runtimePaths(folders: Folders, key: string): RuntimePaths {
  const folder = join(folders.runtime, fitting(folders.runtime, key));
  const [control, watch] = [join(folder, "control.sock"), join(folder, "watch.sock")];
  const length = bytesOf(control);
  if (length > SOCKET_PATH) {
    throw new UsageError(`${control}: ${length} bytes are too long for a socket, which can have ${SOCKET_PATH}`, {
      value: control,
      expected: "a shorter folder in QMPCTL_RUNTIME_DIR",
    });
  }
  return { key, folder, control, watch, pidfile: join(folder, "pid"), output: join(folder, "output") };
}

/** No name contains "@", so a shortened key is never another domain's. */
function fitting(runtime: string, key: string): string {
  const room = SOCKET_PATH - bytesOf(join(runtime, "x", "control.sock")) + 1;
  if (bytesOf(key) <= room) return key;
  const digest = `@${sha256(key).slice(0, 8)}`;
  return `${key.slice(0, Math.max(1, room - digest.length))}${digest}`;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The files of the machine with this key. */
export function statePaths({ state }: Folders, key: string): StatePaths {
  // No name contains "@": if locks and sockets share a folder, no domain's folder has this name.
  const folder = join(state, `@${key}`);
  return {
    key,
    folder,
    lock: join(folder, "lock"),
    journal: join(folder, "journal"),
    notes: join(folder, "notes"),
    process: join(folder, "process"),
    // A process does not outlive a boot.
    history: join(key.startsWith("process-") ? folder : join(lastingFolder(state), `@${key}`), "history"),
    ends: join(folder, "ends"),
    endProgram: join(folder, "end.cjs"),
  };
}

/**
 * Creates a folder of a machine (mode 0700) if it is missing.
 *
 * @throws UnsafeError when somebody else made it, or can enter it; HostError when the system refuses
 */
export async function openFolder(folder: string): Promise<void> {
  makeFolder(dirname(folder), true);
  checkFolder(dirname(folder), 0o022);
  makeFolder(folder, false);
  checkFolder(folder, 0o077);
}

/**
 * Whether a folder of a machine is there, and ours.
 *
 * @throws UnsafeError when it is there and not ours
 */
export async function hasFolder(folder: string): Promise<boolean> {
  if (statusAt(folder) === undefined) return false;
  checkFolder(folder, 0o077);
  return true;
}

function makeFolder(path: string, recursive: boolean): void {
  try {
    mkdirSync(path, { recursive, mode: 0o700 });
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "EEXIST") return;
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}

function checkFolder(path: string, forbidden: number): void {
  const stat = looked(path);
  const uid = ownUid();
  if (stat.isSymbolicLink()) throw new UnsafeError(path, "a symbolic link, a run-time folder must be a real one");
  if (!stat.isDirectory()) throw new UnsafeError(path, "not a folder");
  if (stat.uid !== uid) throw new UnsafeError(path, `belongs to user ${stat.uid}, not to the one who runs this (${uid})`);
  if ((stat.mode & forbidden) !== 0) throw new UnsafeError(path, `open to others (mode ${(stat.mode & 0o777).toString(8)}), chmod 700 it`);
}

function looked(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}
