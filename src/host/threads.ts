import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { kernelFileIfThere } from "./kernel-file.ts";

/** One thread of a process, with the name it carries in /proc (`CPU 1/KVM`; at most 15 bytes). */
export interface Thread {
  readonly tid: number;
  readonly name: string;
}

/** The process a thread belongs to, or undefined where no such thread lives. Source: `Tgid` of /proc/TID/status, see proc(5). */
export async function processOf(tid: number): Promise<number | undefined> {
  const group = /^Tgid:\s*(\d+)$/m.exec(kernelFileIfThere(`/proc/${tid}/status`) ?? "")?.[1];
  return group === undefined ? undefined : Number(group);
}

/** All threads of a process, by ascending id; empty where the process is gone. Source: /proc/PID/task. */
export async function threadsOf(pid: number): Promise<readonly Thread[]> {
  const tids = (await entriesOf(`/proc/${pid}/task`)).map(Number).sort((a, b) => a - b);
  return tids.flatMap((tid) => {
    const name = kernelFileIfThere(`/proc/${pid}/task/${tid}/comm`);
    return name === undefined ? [] : [{ tid, name: name.trimEnd() }];
  });
}

/**
 * Whether a process runs. A zombie doesn't: it has ended and only waits for its parent. One whose first thread has ended is not there yet:
 * until the last
 * one has, which takes a big QEMU a while when it is killed, its sockets are open, and its locks on disks held.
 */
export async function isAlive(pid: number): Promise<boolean> {
  const fields = statOf(pid);
  const [state, threads] = [fields?.[0], fields?.[17]];
  return state !== undefined && state !== "X" && !(state === "Z" && threads === "1");
}

/** Whether a process stands still by a signal, as SIGSTOP, or under a debugger. */
export async function isStopped(pid: number): Promise<boolean> {
  const state = statOf(pid)?.[0];
  return state === "T" || state === "t";
}

/**
 * When a process was started, in clock ticks since boot. With the pid it identifies a process for good, as pids are reused.
 * Undefined where there is none. Source: field 22 of /proc/PID/stat.
 */
export async function startTime(pid: number): Promise<number | undefined> {
  const ticks = statOf(pid)?.[19];
  return ticks === undefined ? undefined : Number(ticks);
}

/** A process's argv; undefined where it is gone or shows none (a zombie, a kernel thread). Source: /proc/PID/cmdline. */
export async function commandLineOf(pid: number): Promise<readonly string[] | undefined> {
  // Not at once, as the others: it is read from the process's own memory, and that one may be busy.
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (text === "") return undefined;
  return text.replace(/\0$/, "").split("\0");
}

/**
 * What a process was asked to do, in one line for people: the folders of its program and script are left out. Undefined where it is gone.
 */
export async function commandOf(pid: number): Promise<string | undefined> {
  const argv = await commandLineOf(pid);
  return argv?.map((word, position) => (position < 2 ? basename(word) : word)).join(" ");
}

/** The fields of /proc/PID/stat from the third on: the second is the name, which may hold blanks and brackets. */
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
