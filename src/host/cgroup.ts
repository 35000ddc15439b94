import { accessSync, constants, readdirSync } from "node:fs";
import { join } from "node:path";
import { kernelFileIfThere } from "./kernel-file.ts";
import { threadsOf } from "./threads.ts";

/** The control group that shares CPU time out to a process, as the kernel shows it. */
export interface CpuGroup {
  /** Its path among the groups, as `/machine.slice/web1.scope`. */
  readonly path: string;
  /** Its folder in the file system. */
  readonly folder: string;
  /** Of which interface its files are: `cpu.max` and `cpu.weight`, or `cpu.cfs_quota_us` and `cpu.shares`. */
  readonly version: 1 | 2;
}

/** Why there is no such group to be found. */
export interface NoGroup {
  readonly why: string;
}

interface Mount {
  readonly version: 1 | 2;
  /** The group that is mounted, and where. */
  readonly root: string;
  readonly at: string;
}

/**
 * Finds the group of a process that the cpu controller is in: on a host with both interfaces it is only in one of them. Sources:
 * /proc/PID/cgroup, /proc/self/mountinfo, cgroups(7).
 */
export function cpuGroupOf(pid: number | "self"): CpuGroup | NoGroup {
  const text = kernelFileIfThere(`/proc/${pid}/cgroup`);
  if (text === undefined) return { why: "its process has ended, or /proc does not show it" };
  const lines = text.split("\n").map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  const first = lines.find((line) => line?.[1]?.split(",").includes("cpu") === true)?.[2];
  const path = first ?? lines.find((line) => line?.[1] === "")?.[2];
  if (path === undefined) return { why: "this host has no cgroups" };
  // In a cgroup namespace, what is not below its root is shown with steps upwards.
  if (/^\/\.\.(\/|$)/.test(path))
    return { why: `its cgroup, ${path}, is outside of what this container can see (a cgroup namespace of its own)` };
  const version = first === undefined ? 2 : 1;
  const found = mounts().filter((mount) => mount.version === version);
  if (found.length === 0) return { why: `cgroup v${version} is not mounted here` };
  for (const { root, at } of found) {
    if (root === "/") return { path, version, folder: join(at, path) };
    if (path === root || path.startsWith(`${root}/`)) return { path, version, folder: join(at, path.slice(root.length)) };
  }
  return { why: `its cgroup, ${path}, is outside of ${found[0]?.root}, which is all that is mounted here` };
}

/** Where groups with the cpu controller are mounted. A line of mountinfo has more fields or fewer before its dash. */
function mounts(): readonly Mount[] {
  return (kernelFileIfThere("/proc/self/mountinfo") ?? "").split("\n").flatMap((line): readonly Mount[] => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "", at = ""] = before.split(" ").map(unescape);
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") return [{ version: 2, root, at }];
    return type === "cgroup" && options.split(",").includes("cpu") ? [{ version: 1, root, at }] : [];
  });
}

/** A blank and the like stands there as an octal number. */
function unescape(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A process that shares a group. */
export interface Member {
  readonly pid: number;
  readonly name: string;
}

/**
 * The processes in a group and in those below it that are neither this one nor its descendants. One of another pid namespace has the pid 0.
 */
export function othersIn(folder: string, pid: number): readonly Member[] {
  return membersOf(folder)
    .filter((other) => !descends(other, pid) && !isKernelThread(other))
    .map((other) => ({ pid: other, name: nameOf(other) }));
}

function membersOf(folder: string): readonly number[] {
  const own = (kernelFileIfThere(join(folder, "cgroup.procs")) ?? "").split("\n").filter((line) => line !== "");
  return [...own.map(Number), ...groupsIn(folder).flatMap((name) => membersOf(join(folder, name)))];
}

function groupsIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}

/** The kernel's PF_KTHREAD: a thread of its own, which no quota limits. */
const KERNEL_THREAD = 0x0020_0000;

function isKernelThread(pid: number): boolean {
  const stat = kernelFileIfThere(`/proc/${pid}/stat`) ?? "";
  return (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[6]) & KERNEL_THREAD) !== 0;
}

/** Whether a process is ourselves, or one that we were started by, directly or through others. */
export function hasStartedUs(pid: number): boolean {
  return descends(Number(/^Pid:\s+(\d+)/m.exec(kernelFileIfThere("/proc/self/status") ?? "")?.[1]), pid);
}

/** Whether a process is this one, or was started by it, directly or through others. */
function descends(pid: number, from: number): boolean {
  for (let at = pid; at > 1; at = parentOf(at)) if (at === from) return true;
  return pid === from;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(kernelFileIfThere(`/proc/${pid}/status`) ?? "")?.[1] ?? 0);
}

function nameOf(pid: number): string {
  if (pid === 0) return "of another container";
  return (kernelFileIfThere(`/proc/${pid}/comm`) ?? "gone").trim();
}

/** What is in the way of a group's own limits: threads that are apart from their process. Null where nothing is. */
export async function threadsApart({ path, folder, version }: CpuGroup, pid: number): Promise<string | null> {
  if (version === 2 && (kernelFileIfThere(join(folder, "cgroup.type")) ?? "").trim() === "threaded")
    return `its cgroup, ${path}, is for some of its threads only (cgroup.type is threaded)`;
  const line = version === 1 ? /^\d+:(?:[^:]*,)?cpu(?:,[^:]*)?:(\/.*)$/m : /^0::(\/.*)$/m;
  for (const { tid, name } of await threadsOf(pid)) {
    const other = line.exec(kernelFileIfThere(`/proc/${pid}/task/${tid}/cgroup`) ?? "")?.[1];
    if (other !== undefined && other !== path && !other.startsWith(`${path}/`))
      return `its threads are in several cgroups (${name}, ${tid}, is in ${other}, the others in ${path})`;
  }
  return null;
}

/** A quota and the period that it is counted in, in microseconds; a quota of null is none. */
export interface Quota {
  readonly quota: number | null;
  readonly period: number;
}

/** The kernel's own period, in microseconds. */
const PERIOD = 100_000;

/** The quota of a group. One that the controller is not in has none. Sources: the kernel's cgroup-v2 and sched-bwc documents. */
export function readQuota({ folder, version }: Pick<CpuGroup, "folder" | "version">): Quota {
  if (version === 2) {
    const [quota = "max", period = ""] = (kernelFileIfThere(join(folder, "cpu.max")) ?? "").trim().split(" ");
    return { quota: /^\d+$/.test(quota) ? Number(quota) : null, period: Number(period) || PERIOD };
  }
  const quota = numberIn(folder, "cpu.cfs_quota_us") ?? -1;
  return { quota: quota < 0 ? null : quota, period: numberIn(folder, "cpu.cfs_period_us") ?? PERIOD };
}

/** A weight of 100 is 1024 shares of the older interface. */
const SHARES = 10.24;
const USUAL_WEIGHT = 100;

/** The weight of a group, from 1 to 10000; 0 where it only gets what nobody else wants (`cpu.idle`). The usual one is 100. */
export function readWeight({ folder, version }: Pick<CpuGroup, "folder" | "version">): number {
  if (version === 2) return numberIn(folder, "cpu.weight") ?? USUAL_WEIGHT;
  if (numberIn(folder, "cpu.idle") === 1) return 0;
  const shares = numberIn(folder, "cpu.shares");
  return shares === undefined ? USUAL_WEIGHT : Math.min(10_000, Math.max(1, Math.round(shares / SHARES)));
}

/** The shares that a weight is. */
export function sharesOf(weight: number): number {
  return Math.max(2, Math.round(weight * SHARES));
}

function numberIn(folder: string, file: string): number | undefined {
  const text = (kernelFileIfThere(join(folder, file)) ?? "").trim();
  return /^-?\d+$/.test(text) ? Number(text) : undefined;
}

/** Why a file of a group can't be written by us; null where it can. */
export function whyNotWritten(file: string): string | null {
  try {
    accessSync(file, constants.W_OK);
    return null;
  } catch (error) {
    const code = (error as { readonly code?: string }).code ?? "";
    return { EROFS: "is mounted read-only", EACCES: "may not be written by this user", ENOENT: "is not there" }[code] ?? code;
  }
}
