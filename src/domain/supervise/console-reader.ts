import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import type { ConsoleSource } from "../../config/guest-console.ts";
import { messageOf } from "../../errors.ts";

/** What a guest writes on its console, from a start on. */
export interface ConsoleReader {
  /** Where it is read. */
  readonly path: string;
  /** What has been written since it was read last. */
  read(): string;
  /** Why nothing can be read; undefined if it can. */
  readonly why: string | undefined;
}

/** So much is read at once, in bytes: a guest may write faster than we look. */
const PIECE = 256 * 1024;

/** Reads a file that QEMU writes. Made before the start: what it has then is older, if QEMU leaves that in it. */
export function fileReader(path: string, appends: boolean): ConsoleReader {
  const decoder = new StringDecoder("utf8");
  let at = appends ? (statSync(path, { throwIfNoEntry: false })?.size ?? 0) : 0;
  let why: string | undefined;
  return {
    path,
    get why() {
      return why;
    },
    read() {
      const piece = pieceOf(path, at);
      why = typeof piece === "string" ? piece : undefined;
      if (typeof piece === "string") return "";
      at = piece.end;
      return decoder.write(piece.bytes);
    },
  };
}

/** The next piece of a file; a text says why there is none. Without O_NONBLOCK, opening a FIFO would wait. */
function pieceOf(path: string, from: number): { readonly bytes: Buffer; readonly end: number } | string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    return messageOf(error);
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) return `${path}: not a regular file`;
    // One that is shorter than it was has begun anew.
    const start = found.size < from ? 0 : from;
    const bytes = Buffer.alloc(Math.min(PIECE, found.size - start));
    const length = readSync(file, bytes, 0, bytes.length, start);
    return { bytes: bytes.subarray(0, length), end: start + length };
  } finally {
    closeSync(file);
  }
}

/** A reader for a source. `stdio`: the file that QEMU's own stdout goes to. */
export function readerFor(source: ConsoleSource, stdio: string): ConsoleReader {
  return source.kind === "stdio" ? fileReader(stdio, false) : fileReader(source.path, source.appends);
}
