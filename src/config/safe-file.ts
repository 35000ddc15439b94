import { constants, type Stats } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { userInfo } from "node:os";
import { messageOf } from "../errors.ts";
import { ConfigError } from "./config-error.ts";
import { TEXT_LIMIT } from "./launch.ts";

/** A file's text with whom it belongs to. */
export interface SafeText {
  readonly text: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Reads a config file of ours (or of root's) that nobody else can write. A link, a FIFO, a folder, a file over 1 MiB, or text that is
 * not UTF-8 is refused without waiting and without reading it whole. Throws ConfigError: missing, unsafe, invalid or io.
 */
export async function readSafely(path: string): Promise<SafeText> {
  const file = await openSafely(path);
  try {
    const stat = await file.stat();
    const danger = whyUnsafe(stat);
    if (danger !== undefined) throw new ConfigError(path, "unsafe", danger);
    return { text: decode(await readBounded(file, path), path), uid: stat.uid, gid: stat.gid };
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    throw new ConfigError(path, "io", messageOf(cause), { cause });
  } finally {
    await file.close();
  }
}

async function openSafely(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a FIFO would keep us waiting for its writer.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    const code = (cause as { readonly code?: string }).code;
    if (code === "ENOENT") throw new ConfigError(path, "missing", "there is no such config", { cause });
    if (code === "ELOOP") throw new ConfigError(path, "unsafe", "a symbolic link", { cause });
    if (code === "ENXIO") throw new ConfigError(path, "unsafe", "not a regular file", { cause });
    throw new ConfigError(path, "io", messageOf(cause), { cause });
  }
}

function whyUnsafe(stat: Stats): string | undefined {
  if (!stat.isFile()) return stat.isDirectory() ? "a folder, not a file" : "not a regular file";
  // It names the program that we run: whoever can write it can run anything as us.
  if (stat.uid !== userInfo().uid && stat.uid !== 0) return `belongs to user ${stat.uid}, not to the one who runs this`;
  if ((stat.mode & 0o002) !== 0) return `everybody can write it (mode ${(stat.mode & 0o777).toString(8)}); chmod o-w it`;
  return undefined;
}

async function readBounded(file: FileHandle, path: string): Promise<Uint8Array> {
  const { size } = await file.stat();
  const buffer = new Uint8Array(Math.min(size, TEXT_LIMIT) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    length += bytesRead;
    if (bytesRead === 0) return buffer.subarray(0, length);
    if (length === buffer.length) throw new ConfigError(path, "invalid", size > TEXT_LIMIT ? `${size} bytes, more than the ${TEXT_LIMIT} that a launch config may have` : "it grew while it was read");
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(path, "invalid", "not UTF-8 text", { cause });
  }
}

/**
 * Writes a new file, flushed to disk, that nobody else can read; it must not exist. `owner` is kept where given. Throws ConfigError
 * (`io`), which names the config it is for, and leaves nothing.
 */
export async function writeNew(path: string, text: string, config: string, owner?: { readonly uid: number; readonly gid: number }): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  let file: FileHandle | undefined;
  try {
    file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    const stat = await file.stat();
    if (owner !== undefined && (owner.uid !== stat.uid || owner.gid !== stat.gid)) await file.chown(owner.uid, owner.gid);
    await file.writeFile(text);
    await file.sync();
    await file.close();
  } catch (cause) {
    await file?.close().catch(() => undefined);
    if (file !== undefined) await removeQuietly(path);
    const why = messageOf(cause).replace(/, \w+( '.*')?$/, ""); // the temporary file's name says nothing to anybody
    throw new ConfigError(config, "io", `its new text can't be written: ${why}`, { cause });
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
