import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, readdirSync, readSync, writeFileSync } from "node:fs";
import { geteuid } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { HostError, messageOf, UnsafeError } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import type { LockHolder } from "./lock-holder.ts";
import { commandOf, isAlive } from "./threads.ts";

/**
 * Opens a lock file, and creates it with mode 0600 if it is missing.
 *
 * @throws UnsafeError when it is a link, not a regular file, or another user's; HostError when it can't be opened
 */
export async function openLockFile(path: string): Promise<number> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: number;
  try {
    file = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code;
    if (code === "ELOOP") throw new UnsafeError(path, "it is a symbolic link", { cause });
    // The system's errors for opening a folder or a socket for writing.
    if (code === "EISDIR" || code === "ENXIO") throw new UnsafeError(path, "it is not a regular file", { cause });
    throw new HostError(`lock ${path}: ${messageOf(cause)}`, {}, { cause });
  }
  const stat = fstatSync(file);
  const why = !stat.isFile() ? "it is not a regular file" : stat.uid !== geteuid?.() ? `it belongs to user ${stat.uid}` : undefined;
  if (why === undefined) return file;
  closeSync(file);
  throw new UnsafeError(path, why);
}

/** Whether the path still leads to the open file. A lock on a file that was removed meanwhile keeps nobody out. */
export async function isStillThere(file: number, path: string): Promise<boolean> {
  const held = fstatSync(file, { bigint: true });
  try {
    const found = lstatSync(path, { bigint: true });
    return found.ino === held.ino && found.dev === held.dev;
  } catch {
    return false; // nothing is there
  }
}

/** Writes who holds the lock into the locked file, for those who wait. */
export async function writeHolder(file: number, holder: LockHolder): Promise<void> {
  ftruncateSync(file, 0);
  writeFileSync(file, `${JSON.stringify(holder)}\n`);
}

/**
 * Pauses between looks for the holder, in milliseconds. It may not have written yet because it has only just taken the lock, or never will
 * because it is a shell's flock. The number of looks is limited, not their time: if many wait on a slow machine, each look takes longer,
 * and looking must not slow it down further.
 */
const PAUSES = [5, 10, 20, 40, 80, 100, 100, 100];

/**
 * Who holds the lock: the process that has the locked file open, with what it wrote into the file. A process that wrote nothing (a shell's
 * flock, or one that has only just taken the lock) is named by its command line. What a dead holder left in the file is ignored.
 */
export async function readHolder(file: number): Promise<LockHolder> {
  const inode = String(fstatSync(file, { bigint: true }).ino);
  for (const pause of PAUSES) {
    // Looking at one process is cheap. Looking at all takes so long that the lock may change hands meanwhile.
    const written = await readWritten(file);
    if (written?.pid !== undefined && hasLock(written.pid, inode)) return written;
    await wait(pause);
  }
  return holderAmongAll(file, inode);
}

async function holderAmongAll(file: number, inode: string): Promise<LockHolder> {
  const pids = await lockersOf(inode);
  const written = await readWritten(file);
  if (written?.pid !== undefined && (pids.includes(written.pid) || (pids.length === 0 && (await isAlive(written.pid))))) return written;
  // A process that has ended since was the flock(1) that took the lock for another.
  const holders = await Promise.all(pids.map(async (pid) => ({ pid, command: await commandOf(pid), since: undefined })));
  return holders.find(({ command }) => command !== undefined) ?? { pid: undefined, command: undefined, since: undefined };
}

async function readWritten(file: number): Promise<LockHolder | undefined> {
  const buffer = new Uint8Array(4096);
  const bytesRead = readSync(file, buffer, 0, buffer.length, 0);
  return parseHolder(new TextDecoder().decode(buffer.subarray(0, bytesRead)));
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const { pid, command, since } = JSON.parse(text) as Record<keyof LockHolder, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
    return { pid, command: typeof command === "string" ? command : undefined, since: typeof since === "string" ? since : undefined };
  } catch {
    return undefined; // empty or half written: the holder died, or has only just taken the lock
  }
}

/**
 * The ids of the processes that have the file open with the lock on it, ascending: the holder, and processes that inherited its descriptor.
 * Those of other users are not seen. Source: the `lock:` lines of /proc/PID/fdinfo. /proc/locks does not help: it names the flock(1) that
 * took the lock and has ended.
 */
async function lockersOf(inode: string): Promise<readonly number[]> {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    if (hasLock(pid, inode)) found.push(pid);
    // There may be thousands: other work of this process goes on in between.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return found.sort((a, b) => a - b);
}

/** Whether a process has the lock; false also for another user's process, and for one that has just ended. */
function hasLock(pid: number, inode: string): boolean {
  const isOurs = (line: string): boolean => /^lock:.* FLOCK +ADVISORY +WRITE /.test(line) && line.includes(`:${inode} `);
  return entriesIfThere(`/proc/${pid}/fdinfo`).some((fd) => {
    const info = kernelFileIfThere(`/proc/${pid}/fdinfo/${fd}`);
    return info !== undefined && info.includes("lock:") && info.split("\n").some(isOurs);
  });
}

function entriesIfThere(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
