import { type FileHandle, open } from "node:fs/promises";

/** How much of a file is read at a time, in bytes. */
const PIECE = 4 * 1024 * 1024;

/**
 * Whether the file of a program has a text in it, for each file that was looked at: its device, its inode and when it was written. Many
 * machines run the same emulator.
 */
const known = new Map<string, boolean>();

/**
 * Whether a program's file has a text in it. `path` may be `/proc/PID/exe`, which leads to the file that really runs, also if it was
 * replaced or is in another mount namespace. Undefined if there is no such file, or we may not look.
 */
export async function programHasText(path: string, text: string): Promise<boolean | undefined> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch {
    return undefined;
  }
  try {
    const { dev, ino, mtimeMs } = await file.stat();
    const key = `${dev}:${ino}:${mtimeMs}:${text}`;
    const has = known.get(key) ?? (await hasText(file, Buffer.from(text)));
    known.set(key, has);
    return has;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

async function hasText(file: FileHandle, text: Buffer): Promise<boolean> {
  const piece = Buffer.alloc(PIECE);
  for (let at = 0, kept = 0; ;) {
    const { bytesRead } = await file.read(piece, kept, PIECE - kept, at);
    if (bytesRead === 0) return false;
    const end = kept + bytesRead;
    if (piece.subarray(0, end).includes(text)) return true;
    at += bytesRead;
    // The text may begin in one piece and end in the next.
    kept = Math.min(text.length - 1, end);
    piece.copyWithin(0, end - kept, end);
  }
}
