import { constants, readdirSync } from "node:fs";
import { type FileHandle, lstat, open, readdir } from "node:fs/promises";
import { geteuid } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { HostError, messageOf, UnsafeError } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import type { LockHolder } from "./lock-holder.ts";
import { commandOf, isAlive } from "./threads.ts";

/** Opens a lock file, made 0600 where missing. A link, a FIFO or somebody else's file is refused with an UnsafeError. */
export async function openLockFile(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code;
    if (code === "ELOOP") throw new UnsafeError(path, "it is a symbolic link", { cause });
    // A folder or a socket can't be opened to be written.
    if (code === "EISDIR" || code === "ENXIO") throw new UnsafeError(path, "it is not a regular file", { cause });
    throw new HostError(`lock ${path}: ${messageOf(cause)}`, {}, { cause });
  }
  const stat = await file.stat();
  const why = !stat.isFile() ? "it is not a regular file" : stat.uid !== geteuid?.() ? `it belongs to user ${stat.uid}` : undefined;
  if (why === undefined) return file;
  await file.close();
  throw new UnsafeError(path, why);
}

/** Whether the path still leads to the file that is open: a lock on a file that was removed meanwhile keeps nobody out. */
export async function isStillThere(file: FileHandle, path: string): Promise<boolean> {
  const held = await file.stat({ bigint: true });
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  return found !== undefined && found.ino === held.ino && found.dev === held.dev;
}

/** Writes the holder into the file it holds, for those who wait. */
export async function writeHolder(file: FileHandle, holder: LockHolder): Promise<void> {
  await file.truncate(0);
  await file.write(`${JSON.stringify(holder)}\n`, 0);
}

/**
 * How long to look for a holder that has not written yet, in milliseconds: it has only just come, or is a shell's flock, which never does.
 * Pauses and
 * not a deadline: where many wait and the machine is slow, looking takes longer too, and must not be what makes it slow.
 */
const PAUSES = [5, 10, 20, 40, 80, 100, 100, 100];

/**
 * Who holds the lock: the process that has the locked file open, with what it wrote into it. A process that wrote nothing (a shell's
 * flock, or one that has only just come) is told by its command line. What a dead holder left in the file is not believed.
 */
export async function readHolder(file: FileHandle): Promise<LockHolder> {
  const inode = String((await file.stat({ bigint: true })).ino);
  for (const pause of PAUSES) {
    // To look at one process is cheap; to look at all takes so long that the lock may have gone on meanwhile.
    const written = await readWritten(file);
    if (written?.pid !== undefined && hasLock(written.pid, inode)) return written;
    await wait(pause);
  }
  return holderAmongAll(file, inode);
}

async function holderAmongAll(file: FileHandle, inode: string): Promise<LockHolder> {
  const pids = await lockersOf(inode);
  const written = await readWritten(file);
  if (written?.pid !== undefined && (pids.includes(written.pid) || (pids.length === 0 && (await isAlive(written.pid))))) return written;
  // One that has ended since was the flock(1) that took it for another.
  const holders = await Promise.all(pids.map(async (pid) => ({ pid, command: await commandOf(pid), since: undefined })));
  return holders.find(({ command }) => command !== undefined) ?? { pid: undefined, command: undefined, since: undefined };
}

async function readWritten(file: FileHandle): Promise<LockHolder | undefined> {
  const buffer = new Uint8Array(4096);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return parseHolder(new TextDecoder().decode(buffer.subarray(0, bytesRead)));
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const { pid, command, since } = JSON.parse(text) as Record<keyof LockHolder, unknown>;
    if (typeof pid !== "number" || !Number.isSafeInteger(pid) || pid < 1) return undefined;
    return { pid, command: typeof command === "string" ? command : undefined, since: typeof since === "string" ? since : undefined };
  } catch {
    return undefined; // empty, or half written: the holder died or has only just come
  }
}

/**
 * The processes that have the file open with the lock on it, ascending: a holder, and what it handed its descriptor to. Another user's
 * are not seen. Source: the `lock:` lines of /proc/PID/fdinfo, as /proc/locks names the flock(1) that took ours and has ended.
 */
async function lockersOf(inode: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: number[] = [];
  for (const pid of pids) {
    if (hasLock(pid, inode)) found.push(pid);
    // There may be thousands: whatever else we have to do goes on between them.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return found.sort((a, b) => a - b);
}

/** False also for another user's process, and for one that has just ended. */
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
