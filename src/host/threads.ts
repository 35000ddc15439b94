import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { kernelFileIfThere } from "./kernel-file.ts";

/** One thread of a process, with its name in /proc (`CPU 1/KVM`; at most 15 bytes). */
export interface Thread {
  readonly tid: number;
  readonly name: string;
}

/** The process that a thread belongs to; undefined if there is no such thread. Source: `Tgid` of /proc/TID/status, see proc(5). */
export async function processOf(tid: number): Promise<number | undefined> {
  const group = /^Tgid:\s*(\d+)$/m.exec(kernelFileIfThere(`/proc/${tid}/status`) ?? "")?.[1];
  return group === undefined ? undefined : Number(group);
}

/** All threads of a process, by ascending id; empty if the process has ended. Source: /proc/PID/task. */
export async function threadsOf(pid: number): Promise<readonly Thread[]> {
  const tids = (await entriesOf(`/proc/${pid}/task`)).map(Number).sort((a, b) => a - b);
  return tids.flatMap((tid) => {
    const name = kernelFileIfThere(`/proc/${pid}/task/${tid}/comm`);
    return name === undefined ? [] : [{ tid, name: name.trimEnd() }];
  });
}

/**
 * Whether a process runs. A zombie does not: it has ended, and its parent has not noticed yet. A process whose first thread has ended still
 * runs until the last one has: its sockets are open, and its locks on disks are held. A big QEMU takes a while there after it was killed.
 */
export async function isAlive(pid: number): Promise<boolean> {
  const fields = statOf(pid);
  const [state, threads] = [fields?.[0], fields?.[17]];
  return state !== undefined && state !== "X" && !(state === "Z" && threads === "1");
}

/** Whether a process is stopped, by a signal as SIGSTOP or by a debugger. */
export async function isStopped(pid: number): Promise<boolean> {
  const state = statOf(pid)?.[0];
  return state === "T" || state === "t";
}

/**
 * When a process was started, in clock ticks since boot; undefined if there is none. Pids are reused, but a pid and a start time identify a
 * process for good. Source: field 22 of /proc/PID/stat.
 */
export async function startTime(pid: number): Promise<number | undefined> {
  const ticks = statOf(pid)?.[19];
  return ticks === undefined ? undefined : Number(ticks);
}

/** A process's argv; undefined if it has ended or has none (a zombie, a kernel thread). Source: /proc/PID/cmdline. */
export async function commandLineOf(pid: number | "self"): Promise<readonly string[] | undefined> {
  // Unlike the other files, this one is read asynchronously if it is not ours: it is in the process's own memory, and reading it can block.
  const path = `/proc/${pid}/cmdline`;
  const text = pid === "self" ? (kernelFileIfThere(path) ?? "") : await readFile(path, "utf8").catch(() => "");
  if (text === "") return undefined;
  return text.replace(/\0$/, "").split("\0");
}

/** A process's command line on one line, for people; the folders of its program and its script are left out. Undefined if it has ended. */
export async function commandOf(pid: number | "self"): Promise<string | undefined> {
  const argv = await commandLineOf(pid);
  return argv?.map((word, position) => (position < 2 ? basename(word) : word)).join(" ");
}

/** The fields of /proc/PID/stat from the third on. The second is the name, which may contain blanks and brackets. */
function statOf(pid: number): readonly string[] | undefined {
  const text = kernelFileIfThere(`/proc/${pid}/stat`);
  return text
    ?.slice(text.lastIndexOf(")") + 2)
    .trimEnd()
    .split(" ");
}

async function entriesOf(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}
