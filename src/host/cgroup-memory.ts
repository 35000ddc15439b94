import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { kernelFileIfThere } from "./kernel-file.ts";

/** What a process's own cgroup is charged for, in bytes: its memory, and what the kernel caches and keeps for it. */
export interface CgroupMemory {
  /** Its folder below the mount of cgroups, as `/machine.slice/qemu-web1.scope`. */
  readonly path: string;
  readonly charged: number;
}

/** Where cgroups are mounted, by the kernel's convention; those of version 1 in a folder for each controller. */
const CGROUPS = "/sys/fs/cgroup";

/**
 * The memory that the cgroup of a process is charged for; null if the process shares it with others, or it can't be seen. `root` is where
 * cgroups are mounted. Sources: /proc/PID/cgroup, the kernel's cgroup-v2 and cgroup-v1/memory documents.
 */
export async function cgroupMemoryOf(pid: number, root: string = CGROUPS): Promise<CgroupMemory | null> {
  const found = memoryCgroup(kernelFileIfThere(`/proc/${pid}/cgroup`) ?? "", root);
  return found !== null && (await holdsOnly(found.folder, pid)) ? { path: found.path, charged: found.charged } : null;
}

/** The group itself, or the nearest one above it that counts memory: the groups of single threads don't. */
function memoryCgroup(text: string, root: string): (CgroupMemory & { readonly folder: string }) | null {
  const lines = text.split("\n").map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  const first = lines.find((line) => line?.[1]?.split(",").includes("memory") === true)?.[2];
  const start = first ?? lines.find((line) => line?.[1] === "")?.[2];
  // A group that is outside of what we can see of the tree.
  if (start === undefined || start.split("/").includes("..")) return null;
  const [mount, file] = first === undefined ? [root, "memory.current"] : [join(root, "memory"), "memory.usage_in_bytes"];
  for (let path = start; ; path = join(path, "..")) {
    const charged = kernelFileIfThere(join(mount, path, file));
    if (charged !== undefined) return { path, charged: Number(charged), folder: join(mount, path) };
    if (path === "/") return null;
  }
}

/** Whether there is no other process in a group and the groups below it. */
async function holdsOnly(folder: string, pid: number): Promise<boolean> {
  // The groups of threads have no processes of their own.
  const others = (kernelFileIfThere(join(folder, "cgroup.procs")) ?? "").split("\n").some((each) => each !== "" && Number(each) !== pid);
  if (others) return false;
  const below = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of below) if (entry.isDirectory() && !(await holdsOnly(join(folder, entry.name), pid))) return false;
  return true;
}
