import { constants, type Stats } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { HostError, messageOf } from "../errors.ts";
import { ConfigError } from "./config-error.ts";
import { TEXT_LIMIT } from "./launch.ts";
import { ownUid } from "./own-user.ts";

/** A file's text with whom it belongs to. */
export interface SafeText {
  readonly text: string;
  readonly uid: number;
  readonly gid: number;
  /** Who may read and write it. */
  readonly mode: number;
  readonly links: number;
}

/**
 * Reads a config file of ours (or of root's) that nobody else can write. A link, a FIFO, a folder, a file over `limit` bytes (1 MiB), or
 * text that is
 * not UTF-8 is refused without waiting and without reading it whole. Throws ConfigError: missing, unsafe, invalid or io.
 */
export async function readSafely(path: string, limit: number = TEXT_LIMIT): Promise<SafeText> {
  const file = await openSafely(path);
  try {
    const found = await file.stat();
    const danger = whyUnsafe(found);
    if (danger !== undefined) throw new ConfigError(path, "unsafe", danger);
    await checkFolder(path);
    return {
      text: decode(await readBounded(file, path, limit), path),
      uid: found.uid,
      gid: found.gid,
      mode: found.mode & 0o777,
      links: found.nlink,
    };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(path, "io", messageOf(cause), { cause });
  } finally {
    await file.close();
  }
}

/**
 * Reads a text that somebody hands us by its path and that decides nothing but what it says: any regular file of at most 1 MiB, whoever
 * it belongs to. Never waits, never reads more. Throws ConfigError as `readSafely` does.
 */
export async function readBoundedText(path: string): Promise<string> {
  const file = await openFile(path, 0, "file");
  try {
    if (!(await file.stat()).isFile()) throw new ConfigError(path, "unsafe", "not a regular file");
    return decode(await readBounded(file, path, TEXT_LIMIT), path);
  } finally {
    await file.close();
  }
}

function openSafely(path: string): Promise<FileHandle> {
  return openFile(path, constants.O_NOFOLLOW, "config");
}

async function openFile(path: string, flags: number, what: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a FIFO would keep us waiting for its writer.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code;
    if (code === "ENOENT") throw new ConfigError(path, "missing", `there is no such ${what}`, { cause });
    if (code === "ELOOP") throw new ConfigError(path, "unsafe", "a symbolic link", { cause });
    if (code === "ENXIO") throw new ConfigError(path, "unsafe", "not a regular file", { cause });
    throw new ConfigError(path, "io", messageOf(cause).replace(/, \w+( '.*')?$/, ""), { cause });
  }
}

/** Who can write the folder can put an old config of ours in the place of the new one, or take it away. */
async function checkFolder(path: string): Promise<void> {
  const folder = dirname(path);
  const { mode, uid } = await stat(folder);
  const isShared = (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
  if (isShared)
    throw new ConfigError(path, "unsafe", `everybody can write its folder (mode ${(mode & 0o7777).toString(8)}); chmod o-w ${folder}`);
  if (uid !== ownUid() && uid !== 0)
    throw new ConfigError(path, "unsafe", `its folder belongs to user ${uid}, not to the one who runs this`);
}

function whyUnsafe(stat: Stats): string | undefined {
  if (!stat.isFile()) return stat.isDirectory() ? "a folder, not a file" : "not a regular file";
  // It names the program that we run: whoever can write it can run anything as us.
  if (stat.uid !== ownUid() && stat.uid !== 0) return `belongs to user ${stat.uid}, not to the one who runs this`;
  if ((stat.mode & 0o002) !== 0) return `everybody can write it (mode ${(stat.mode & 0o777).toString(8)}); chmod o-w it`;
  return undefined;
}

async function readBounded(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const buffer = new Uint8Array(Math.min(size, limit) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    if (bytesRead === 0) return buffer.subarray(0, length);
    if (length === buffer.length)
      throw new ConfigError(
        path,
        "invalid",
        size > limit ? `${size} bytes, more than the ${limit} that it may have` : "it grew while it was read",
      );
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(path, "invalid", "not UTF-8 text", { cause });
  }
}

/** The last 64 KiB of a file of ours, which can be of any length; nothing where there is none, or something else is there. */
export async function readTail(path: string): Promise<string> {
  const file = await openSafely(path).catch(() => undefined);
  if (file === undefined) return "";
  await using _closing = { [Symbol.asyncDispose]: () => file.close() };
  const found = await file.stat();
  if (!found.isFile() || found.uid !== ownUid()) return "";
  const length = Math.min(found.size, TAIL);
  const buffer = new Uint8Array(length);
  const { bytesRead } = await file.read(buffer, 0, length, found.size - length);
  return new TextDecoder().decode(buffer.subarray(0, bytesRead));
}

/** Much more than a machine's last words. */
const TAIL = 64 * 1024;

/**
 * Writes a new file, flushed to disk, that nobody else can read; it must not exist. `owner` is kept where given; of a group that this user
 * is not in it is told that it could not be. Throws
 * ConfigError (`io`), which names the config it is for, and leaves nothing.
 */
export async function writeNew(
  path: string,
  text: string,
  config: string,
  owner?: { readonly uid: number; readonly gid: number },
): Promise<{ readonly hasGroup: boolean }> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    const hasGroup = owner === undefined || (await giveTo(file, owner));
    await file.writeFile(text);
    await file.sync();
    await file.close();
    return { hasGroup };
  } catch (cause) {
    await file?.close().catch(() => undefined);
    if (file !== undefined) await removeQuietly(path);
    const why = messageOf(cause).replace(/, \w+( '.*')?$/, ""); // the temporary file's name says nothing to anybody
    throw new ConfigError(config, "io", `its new text can't be written: ${why}`, { cause });
  }
}

/** Gives a new file the owner of another one. False where only its group can't be given: it takes membership to do that. */
async function giveTo(file: FileHandle, owner: { readonly uid: number; readonly gid: number }): Promise<boolean> {
  const stat = await file.stat();
  if (owner.uid === stat.uid && owner.gid === stat.gid) return true;
  try {
    await file.chown(owner.uid, owner.gid);
    return true;
  } catch (cause) {
    if ((cause as { readonly code?: string }).code !== "EPERM") throw cause;
    if (owner.uid === stat.uid) return false;
    throw new Error(`it belongs to user ${owner.uid}, and only root could leave it so`, { cause });
  }
}

/**
 * Puts a text in the place of a small file of ours, whole or not at all: nobody ever reads half of it, and a link that was put there is
 * replaced, not followed. `flush`
 * waits until it is on the disk. Call it under the lock of what it is about. @throws HostError
 */
export async function replaceFile(path: string, text: string, options: { readonly flush?: boolean } = {}): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await rm(fresh, { force: true });
    await using file = await open(fresh, "wx", 0o600);
    await file.writeFile(text);
    if (options.flush === true) await file.sync();
    await rename(fresh, path);
  } catch (cause) {
    await removeQuietly(fresh);
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}

/** Removes a file of ours if it is there; what can't be removed is left. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/** Flushes a folder's entries to disk, so that a rename in it survives a power cut. File systems that can't are let off. */
export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
