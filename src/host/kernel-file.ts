import { readFileSync } from "node:fs";

/**
 * The text of a small file that the kernel makes up as it is read (`/proc/TID/status`, `/sys/devices/system/cpu/online`). Read at once:
 * there
 * is no disk to wait for, and a change reads dozens of them, each of which took ten times as long through Node's threads and a buffer of 64
 * KiB.
 * Not for what lies in another process's memory (`cmdline`, `environ`), which can take its time. Throws the system's error.
 */
export function readKernelFile(path: string): string {
  return readFileSync(path, "utf8");
}

/** The same, undefined where there is none, or no longer. */
export function kernelFileIfThere(path: string): string | undefined {
  try {
    return readKernelFile(path);
  } catch {
    return undefined;
  }
}
