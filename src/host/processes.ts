import { readdirSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { kernelFileIfThere, readKernelFile } from "./kernel-file.ts";
import type { ProcessIdentity } from "./signal.ts";

/** A process as /proc shows it to every user. */
export interface Process extends ProcessIdentity {
  readonly parent: number;
  /** The user that it runs as (the effective one). */
  readonly uid: number;
  readonly argv: readonly string[];
}

/** The kernel's PF_KTHREAD: a thread of the kernel itself, without a command line. */
const KERNEL_THREAD = 0x0020_0000;

/**
 * The name of the process that QEMU leaves behind to free its memory (`-run-with async-teardown=on`). It has QEMU's command line, no open
 * files, and one thread, where a machine has several. The machine has ended, though this process runs on for as long as freeing takes.
 */
const GIVES_BACK_MEMORY = /^cleanup\/\d+$/;

/**
 * How long to wait for one process's command line, in milliseconds. It is read from the process's memory, which a process that sleeps for
 * good may block.
 */
const BUSY = 1000;

/**
 * The processes whose command line is wanted, by ascending id. `wanted` gets the words with NULs between them. Other users' processes are
 * included, unless /proc is mounted with `hidepid`. Takes about 20 µs for each process on the host.
 */
export async function findProcesses(wanted: (commandLine: string) => boolean): Promise<readonly Process[]> {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const found = await Promise.all(pids.map((pid) => processIf(pid, wanted)));
  return found.filter((each) => each !== undefined).sort((a, b) => a.pid - b.pid);
}

/** One process; undefined if it has ended, is a zombie or the kernel's own, or was left behind by a QEMU to free its memory. */
export async function processAt(pid: number): Promise<Process | undefined> {
  return processIf(pid, () => true);
}

/** One process, if its command line is wanted; see `findProcesses`. */
export function processIf(pid: number, wanted: (commandLine: string) => boolean): Promise<Process | undefined> | Process | undefined {
  const stat = kernelFileIfThere(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields?.[0];
  if (fields === undefined || state === "Z" || state === "X" || (Number(fields[6]) & KERNEL_THREAD) !== 0) return undefined;
  if (GIVES_BACK_MEMORY.test(stat?.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")) ?? "") && fields[17] === "1") return undefined;
  const made = (text: string): Process | undefined =>
    text !== "" && wanted(text)
      ? withOwner({ pid, started: Number(fields[19]), parent: Number(fields[1]), argv: text.replace(/\0$/, "").split("\0") })
      : undefined;
  // Hundreds of reads through Node's threads would take ten times as long, so only a read that may block goes there.
  return state === "D" ? slowCommandLine(pid).then(made) : made(kernelFileIfThere(`/proc/${pid}/cmdline`) ?? "");
}

function withOwner(process: Omit<Process, "uid">): Process | undefined {
  // The owner of /proc/PID does not tell: it is root if the process gave up its privileges.
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(kernelFileIfThere(`/proc/${process.pid}/status`) ?? "")?.[1];
  return uid === undefined ? undefined : { ...process, uid: Number(uid) };
}

async function slowCommandLine(pid: number): Promise<string> {
  const late = new AbortController();
  const reading = readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  try {
    return await Promise.race([reading, wait(BUSY, "", { signal: late.signal, ref: false })]);
  } finally {
    late.abort();
  }
}

/** The path of the program that a process runs; undefined if we may not know. Source: /proc/PID/exe. */
export async function programOf(pid: number): Promise<string | undefined> {
  return linkAt(`/proc/${pid}/exe`)?.replace(/ \(deleted\)$/, "");
}

/** The working folder of a process; undefined if we may not know. Source: /proc/PID/cwd. */
export async function folderOfProcess(pid: number): Promise<string | undefined> {
  return linkAt(`/proc/${pid}/cwd`);
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

let boot: string | undefined;

/** An id of this boot of the host. A pid and a start time mean nothing after the next boot. Source: /proc/sys/kernel/random/boot_id. */
export function bootId(): string {
  return (boot ??= readKernelFile("/proc/sys/kernel/random/boot_id").trim());
}
