import { readFile } from "node:fs/promises";
import { kib } from "./resident.ts";

/** The memory of this host that one process has, in bytes. */
export interface ProcessMemory {
  /** What it has in RAM: the kernel's Rss, and the huge pages of hugetlbfs, which Rss leaves out. */
  readonly resident: number;
  /** The same with each page that processes share counted in parts, huge pages in full. Null where the kernel does not show it. */
  readonly share: number | null;
  readonly swapped: number;
  /** Huge pages of hugetlbfs; they are part of `resident`. */
  readonly huge: number;
  /** What the kernel joined to huge pages by itself; it is part of `resident`. Null where the kernel does not show it. */
  readonly transparentHuge: number | null;
  /** What it has locked in RAM, by mlock(2) or for devices, whether it was touched or not. */
  readonly locked: number;
  /** What devices have pinned. */
  readonly pinned: number;
  /** Why the kernel shows only a part of it. */
  readonly denied?: string;
}

/** What can't be known, as the kernel refuses to show it. */
export interface Denied {
  readonly denied: string;
}

/**
 * The memory that a process has; null if there is no such process, or `tid` is no thread of it. The exact figures, which another user's
 * process shows to root only, take the kernel a walk over all its pages: 7 ms for each GiB in pages of 4 KiB (measured). At a `glance`
 * they are left out. Sources: /proc/PID/status and /proc/PID/smaps_rollup, see proc(5).
 */
export async function memoryOf(pid: number, tid: number, glance = false): Promise<ProcessMemory | Denied | null> {
  const status = await textOf(`/proc/${pid}/task/${tid}/status`);
  if (status === null || typeof status !== "string") return status;
  // A process that is ending has no memory any more.
  if (!/^VmRSS:/m.test(status)) return null;
  const exact = glance ? null : await textOf(`/proc/${pid}/smaps_rollup`);
  const huge = kib(status, "HugetlbPages");
  const known = { huge, locked: kib(status, "VmLck"), pinned: kib(status, "VmPin") };
  // Old kernels (before 4.14) have no such file.
  if (exact === null || typeof exact !== "string")
    return {
      ...known,
      resident: kib(status, "VmRSS") + huge,
      swapped: kib(status, "VmSwap"),
      share: null,
      transparentHuge: null,
      ...(exact ?? {}),
    };
  return {
    ...known,
    resident: kib(exact, "Rss") + huge,
    swapped: kib(exact, "Swap"),
    share: kib(exact, "Pss") + huge,
    transparentHuge: kib(exact, "AnonHugePages") + kib(exact, "ShmemPmdMapped") + kib(exact, "FilePmdMapped"),
  };
}

/** The address space that a process has mapped, in bytes; null if there is no such process. */
export async function mappedBy(pid: number): Promise<number | null> {
  const status = await textOf(`/proc/${pid}/status`);
  return typeof status === "string" && /^VmSize:/m.test(status) ? kib(status, "VmSize") : null;
}

/** Another process's memory is read asynchronously: the kernel may wait there for the process. */
async function textOf(path: string): Promise<string | Denied | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" && code !== "EPERM") return null;
    return { denied: `the kernel does not show ${path} to this user (${code})` };
  }
}
