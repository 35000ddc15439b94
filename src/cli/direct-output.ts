import { constants, fstatSync, openSync, writeSync } from "node:fs";

/** The result of a direct write: the bytes that did not fit, or the error. */
export type Written = { readonly left: Uint8Array } | { readonly error: NodeJS.ErrnoException };

/**
 * Writes to a pipe or a file without a stream of Node, which takes 3 ms to load. `undefined` for anything else, such as a terminal.
 * It never waits for the reader of a pipe: what does not fit at once is `left`.
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
    // A second opening has its own flag not to wait. The flag of the first one is shared with all other users of the pipe.
    return found.isFIFO() ? openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK) : undefined;
  } catch {
    return undefined; // closed, or another user's pipe
  }
}
