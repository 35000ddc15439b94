import { constants } from "node:fs";
import { type FileHandle, lstat, open, readFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { HostError, messageOf } from "../errors.ts";
import type { LockHolder } from "./lock-holder.ts";
import { commandLineOf, isAlive } from "./threads.ts";

/** Opens a lock file, made 0600 where missing. A link, a FIFO or somebody else's file is refused with a HostError. */
export async function openLockFile(path: string): Promise<FileHandle> {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle;
  try {
    file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (cause) {
    const why = (cause as { readonly code?: string }).code === "ELOOP" ? "it is a symbolic link" : messageOf(cause);
    throw new HostError(`lock ${path}: ${why}`, {}, { cause });
  }
  const stat = await file.stat();
  const why = !stat.isFile() ? "it is not a regular file" : stat.uid !== userInfo().uid ? `it belongs to user ${stat.uid}` : undefined;
  if (why === undefined) return file;
  await file.close();
  throw new HostError(`lock ${path}: ${why}`);
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

/** Who holds the lock: by its own words in the file while that process lives, else (a shell's flock) by /proc/locks. */
export async function readHolder(file: FileHandle): Promise<LockHolder> {
  const buffer = new Uint8Array(4096);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  const written = parseHolder(new TextDecoder().decode(buffer.subarray(0, bytesRead)));
  if (written?.pid !== undefined && (await isAlive(written.pid))) return written;
  const pid = await kernelsHolder(String((await file.stat({ bigint: true })).ino));
  if (pid === undefined || !(await isAlive(pid))) return { pid: undefined, command: undefined, since: undefined };
  return { pid, command: (await commandLineOf(pid))?.join(" "), since: undefined };
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

/** The process that took the lock on this inode. A lock that was handed on, as ours is, shows the flock that has ended. */
async function kernelsHolder(inode: string): Promise<number | undefined> {
  const locks = await readFile("/proc/locks", "utf8").catch(() => "");
  const line = locks.split("\n").find((entry) => / FLOCK +ADVISORY +WRITE /.test(entry) && entry.includes(`:${inode} `) && !entry.includes("->"));
  const pid = Number(/WRITE +(\d+)/.exec(line ?? "")?.[1]);
  return pid > 0 ? pid : undefined;
}
