import { readdirSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { kernelFileIfThere, readKernelFile } from "./kernel-file.ts";
import type { ProcessIdentity } from "./signal.ts";

/** A process as /proc shows it to everybody. */
export interface Process extends ProcessIdentity {
  readonly parent: number;
  /** The user that it runs as (the effective one). */
  readonly uid: number;
  readonly argv: readonly string[];
}

/** The kernel's PF_KTHREAD: it has no command line. */
const KERNEL_THREAD = 0x0020_0000;

/**
 * What QEMU calls the process that outlives it to give its memory back (`-run-with async-teardown=on`), with its own command line: without
 * files, and of one
 * thread, where a machine has several. The machine is over, though that one goes on for as long as much memory takes.
 */
const GIVES_BACK_MEMORY = /^cleanup\/\d+$/;

/**
 * How long one process's memory may keep us, in milliseconds: its command line is read from there, and one that sleeps for good may hold
 * it.
 */
const BUSY = 1000;

/**
 * The processes whose command line (its words with NULs between them) is wanted, by ascending id. Of other users' too, unless /proc is
 * mounted
 * with `hidepid`. About 20 µs for each process there is.
 */
export async function findProcesses(wanted: (commandLine: string) => boolean): Promise<readonly Process[]> {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const found = await Promise.all(pids.map((pid) => processIf(pid, wanted)));
  return found.filter((each) => each !== undefined).sort((a, b) => a.pid - b.pid);
}

/** One process; undefined where it is gone, a zombie, the kernel's own, or only what a QEMU left to give its memory back. */
export async function processAt(pid: number): Promise<Process | undefined> {
  return processIf(pid, () => true);
}

function processIf(pid: number, wanted: (commandLine: string) => boolean): Promise<Process | undefined> | Process | undefined {
  const stat = kernelFileIfThere(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields?.[0];
  if (fields === undefined || state === "Z" || state === "X" || (Number(fields[6]) & KERNEL_THREAD) !== 0) return undefined;
  if (GIVES_BACK_MEMORY.test(stat?.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")) ?? "") && fields[17] === "1") return undefined;
  const made = (text: string): Process | undefined =>
    text !== "" && wanted(text)
      ? withOwner({ pid, started: Number(fields[19]), parent: Number(fields[1]), argv: text.replace(/\0$/, "").split("\0") })
      : undefined;
  // Hundreds of reads at once through Node's threads would take ten times as long; only one that may block is worth it.
  return state === "D" ? slowCommandLine(pid).then(made) : made(kernelFileIfThere(`/proc/${pid}/cmdline`) ?? "");
}

function withOwner(process: Omit<Process, "uid">): Process | undefined {
  // Not the owner of /proc/PID: that is root where the process gave up its rights.
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

/** The program that a process runs, as a path; undefined where we may not know. Source: /proc/PID/exe. */
export function programOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/exe`).then(
    (path) => path.replace(/ \(deleted\)$/, ""),
    () => undefined,
  );
}

/** The folder that a process works in; undefined where we may not know. Source: /proc/PID/cwd. */
export function folderOfProcess(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/cwd`).catch(() => undefined);
}

let boot: string | undefined;

/**
 * What tells this run of the host from the next one: a pid and a start time mean nothing after it. Source: /proc/sys/kernel/random/boot_id.
 */
export function bootId(): string {
  return (boot ??= readKernelFile("/proc/sys/kernel/random/boot_id").trim());
}
