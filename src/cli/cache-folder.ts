import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** What decides whether a file, or a folder, is somebody's alone. */
interface Owned {
  readonly uid: number;
  readonly mode: number;
}

/** Whether only this user can write it. */
export function isPrivate({ uid, mode }: Owned, self: number): boolean {
  return uid === self && (mode & 0o022) === 0;
}

/**
 * The folder for compiled code, made where missing; undefined where somebody else could put something there: whoever can write there can
 * make us run his code. What is in it may be from a time when others could: each file is looked at when it is read.
 */
export function cacheFolder(folder: string, self: number): string | undefined {
  try {
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    const parent = statSync(dirname(folder));
    // In a folder that everybody can write, ours can be put away and another one in its place, unless names stay with their owners there
    // (the sticky bit).
    const isSafe = (parent.uid === self || parent.uid === 0) && ((parent.mode & 0o002) === 0 || (parent.mode & 0o1000) !== 0);
    return found.isDirectory() && isPrivate(found, self) && isSafe ? folder : undefined;
  } catch {
    return undefined; // a home that can't be written, a path that is a file
  }
}

/** A file of ours alone, whole; undefined for any other, and where there is none. */
export function readPrivate(path: string, self: number): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(file);
    return found.isFile() && isPrivate(found, self) ? readFileSync(file) : undefined;
  } finally {
    closeSync(file);
  }
}

/** Writes such a file, whole or not at all; where that fails it is left out. `writer` names the one beside it. */
export function writePrivate(path: string, data: Uint8Array, writer: number): void {
  try {
    const fresh = `${path}.${writer}`;
    writeFileSync(fresh, data, { mode: 0o600, flag: "wx" });
    renameSync(fresh, path);
  } catch {
    // A full disk: the next start compiles again.
  }
}
