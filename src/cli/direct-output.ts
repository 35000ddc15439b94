import { constants, fstatSync, openSync, writeSync } from "node:fs";

/** What became of a text that was written at once. */
export type Written = { readonly left: Uint8Array } | { readonly error: NodeJS.ErrnoException };

/**
 * Writes to a pipe or a file without a stream of Node, which takes 3 ms to load. Undefined for what else there is, a terminal above all.
 * Never waits for the reader of a pipe: what it does not take at once is `left`.
 */
export function directOutput(fd: number): ((text: string) => Written) | undefined {
  const target = openedFor(fd);
  if (target === undefined) return undefined;
  return (text) => {
    let left: Uint8Array = Buffer.from(text);
    try {
      while (left.length > 0) left = left.subarray(writeSync(target, left));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EAGAIN") return { error: error as NodeJS.ErrnoException };
    }
    return { left };
  };
}

function openedFor(fd: number): number | undefined {
  try {
    const found = fstatSync(fd);
    if (found.isFile()) return fd;
    // Opened once more: with our own flag not to wait, and without setting it for all who have this pipe.
    return found.isFIFO() ? openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) : undefined;
  } catch {
    return undefined; // closed, or somebody else's pipe
  }
}
