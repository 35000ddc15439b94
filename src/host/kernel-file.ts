import { readFileSync } from "node:fs";

/**
 * The text of a small file that the kernel generates on reading (`/proc/TID/status`, `/sys/devices/system/cpu/online`). It is read
 * synchronously: there is no disk to wait for, and a change reads dozens of them, each of which took ten times as long through Node's
 * threads and a buffer of 64 KiB. Do not use it for files that read another process's memory (`cmdline`, `environ`): those can block.
 *
 * @throws the system's error when there is no such file, or it may not be read
 */
export function readKernelFile(path: string): string {
  return readFileSync(path, "utf8");
}

/** The same; undefined if there is no such file, or no longer. */
export function kernelFileIfThere(path: string): string | undefined {
  try {
    return readKernelFile(path);
  } catch {
    return undefined;
  }
}
