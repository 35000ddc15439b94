import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { HostError, messageOf } from "../errors.ts";
import { ConfigError } from "./config-error.ts";
import { TEXT_LIMIT } from "./launch.ts";
import { ownUid } from "./own-user.ts";

/** A file's text, with its owner and its mode. */
export interface SafeText {
  readonly text: string;
  readonly uid: number;
  readonly gid: number;
  /** The permission bits. */
  readonly mode: number;
  readonly links: number;
}

/**
 * Reads a config file that belongs to us or to root and that nobody else can write. A link, a FIFO, a folder, a file of more than `limit`
 * bytes (1 MiB), and text that is not UTF-8 are refused, without waiting and without reading it all.
 *
 * @throws ConfigError: `missing`, `unsafe`, `invalid` or `io`
 */
export async function readSafely(path: string, limit: number = TEXT_LIMIT): Promise<SafeText> {
  const file = openSafely(path);
  try {
    const found = fstatSync(file);
    const danger = whyUnsafe(found);
    if (danger !== undefined) throw new ConfigError(path, "unsafe", danger);
    checkFolder(path);
    return {
      text: decode(readBounded(file, path, limit), path),
      uid: found.uid,
      gid: found.gid,
      mode: found.mode & 0o777,
      links: found.nlink,
    };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(path, "io", messageOf(cause), { cause });
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a text from a path that a user gave, which is only read and never trusted: any regular file of at most 1 MiB, of any owner. It
 * never waits, and never reads more.
 *
 * @throws ConfigError: `missing`, `unsafe`, `invalid` or `io`
 */
export async function readBoundedText(path: string): Promise<string> {
  const file = openFile(path, 0, "file");
  try {
    if (!fstatSync(file).isFile()) throw new ConfigError(path, "unsafe", "not a regular file");
    return decode(readBounded(file, path, TEXT_LIMIT), path);
  } finally {
    closeSync(file);
  }
}

// Read at once: no more than 1 MiB, and each turn through the threads of Node takes longer than that.
function openSafely(path: string): number {
  return openFile(path, constants.O_NOFOLLOW, "config");
}

function openFile(path: string, flags: number, what: string): number {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code;
    if (path === "") throw new ConfigError('""', "missing", `the name of a ${what} is missing`, { cause });
    if (code === "ENOENT") throw new ConfigError(path, "missing", `there is no such ${what}`, { cause });
    if (code === "ELOOP") throw new ConfigError(path, "unsafe", "a symbolic link", { cause });
    if (code === "ENXIO") throw new ConfigError(path, "unsafe", "not a regular file", { cause });
    throw new ConfigError(path, "io", messageOf(cause).replace(/, \w+( '.*')?$/, ""), { cause });
  }
}

/** Anyone who can write the folder can replace a config by an older one, or remove it. */
function checkFolder(path: string): void {
  const folder = dirname(path);
  const { mode, uid } = statSync(folder);
  const isShared = (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
  if (isShared)
    throw new ConfigError(path, "unsafe", `everybody can write its folder (mode ${(mode & 0o7777).toString(8)}); chmod o-w ${folder}`);
  if (uid !== ownUid() && uid !== 0)
    throw new ConfigError(path, "unsafe", `its folder belongs to user ${uid}, not to the one who runs this`);
}

function whyUnsafe(stat: Stats): string | undefined {
  if (!stat.isFile()) return stat.isDirectory() ? "a folder, not a file" : "not a regular file";
  // The config names the program that we run, so anyone who can write it can run anything as us.
  if (stat.uid !== ownUid() && stat.uid !== 0) return `belongs to user ${stat.uid}, not to the one who runs this`;
  if ((stat.mode & 0o002) !== 0) return `everybody can write it (mode ${(stat.mode & 0o777).toString(8)}); chmod o-w it`;
  return undefined;
}

function readBounded(file: number, path: string, limit: number): Uint8Array {
  const { size } = fstatSync(file);
  const buffer = new Uint8Array(Math.min(size, limit) + 1);
  let length = 0;
  for (;;) {
    const bytesRead = readSync(file, buffer, length, buffer.length - length, null);
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

/** The last 64 KiB of a file of ours, which may be of any length; empty if there is none, or if it is not a regular file of ours. */
export async function readTail(path: string): Promise<string> {
  let file: number;
  try {
    file = openSafely(path);
  } catch {
    return "";
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile() || found.uid !== ownUid()) return "";
    const length = Math.min(found.size, TAIL);
    const buffer = new Uint8Array(length);
    const bytesRead = readSync(file, buffer, 0, length, found.size - length);
    return new TextDecoder().decode(buffer.subarray(0, bytesRead));
  } finally {
    closeSync(file);
  }
}

/** Much more than QEMU's last messages. */
const TAIL = 64 * 1024;

/**
 * Writes a new file that nobody else can read, and flushes it to disk. The file must not exist. It gets the `owner` that is given;
 * `hasGroup` is false if this user is not in that group. If it fails, nothing is left behind.
 *
 * @throws ConfigError (`io`), which names `config`
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
    const why = messageOf(cause).replace(/, \w+( '.*')?$/, ""); // the name of the temporary file would not help anyone
    throw new ConfigError(config, "io", `its new text can't be written: ${why}`, { cause });
  }
}

/** Gives a new file another owner. False if only the group could not be set, which takes membership of it. */
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
 * Replaces the text of a small file of ours, completely or not at all: nobody ever reads half of it, and a link in its place is replaced,
 * not followed. `flush` waits until it is on disk; its mode is 0600 unless told. Call it under the lock of the file's subject.
 *
 * @throws HostError when the system refuses
 */
export async function replaceFile(
  path: string,
  text: string,
  options: { readonly flush?: boolean; readonly mode?: number } = {},
): Promise<void> {
  const fresh = `${path}.new`;
  try {
    await rm(fresh, { force: true });
    await using file = await open(fresh, "wx", 0o600);
    await file.writeFile(text);
    if (options.mode !== undefined) await file.chmod(options.mode);
    if (options.flush === true) await file.sync();
    await rename(fresh, path);
  } catch (cause) {
    await removeQuietly(fresh);
    // The name of the temporary file would not help anyone.
    throw new HostError(`${path}: ${messageOf(cause).replace(/, \w+( '.*')?$/, "")}`, {}, { cause });
  }
}

/** Removes a file of ours, if it is there. If it can't be removed, it stays. */
export async function removeQuietly(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => undefined);
}

/** Flushes a folder's entries to disk, so that a rename in it survives a power failure. File systems that can't do this are tolerated. */
export async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY).catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
