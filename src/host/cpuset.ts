import { join } from "node:path";
import { type CpuSet, parseCpuList } from "./cpulist.ts";
import { kernelFileIfThere } from "./kernel-file.ts";

/** Where cgroups are mounted, by the kernel's convention. */
const CGROUPS = "/sys/fs/cgroup";

/**
 * The CPUs that the cpuset of a process allows, whatever the process's own mask is. Null if that can't be seen: without cgroups, or inside
 * a container that shows none. Sources: /proc/PID/cgroup, the kernel's cgroup-v2 and cgroup-v1/cpusets documents.
 */
export async function cpusetOf(pid: number): Promise<CpuSet | null> {
  const lines = (kernelFileIfThere(`/proc/${pid}/cgroup`) ?? "").split("\n").map((line) => /^\d+:([^:]*):(\/.*)$/.exec(line));
  const first = lines.find((line) => line?.[1]?.split(",").includes("cpuset") === true);
  if (first?.[2] !== undefined) return nearest(join(CGROUPS, "cpuset"), first[2], ["cpuset.effective_cpus", "cpuset.cpus"]);
  const second = lines.find((line) => line?.[1] === "");
  return second?.[2] === undefined ? null : nearest(CGROUPS, second[2], ["cpuset.cpus.effective"]);
}

/** The CPUs of a group. A group without the controller has those of the nearest group above it. */
function nearest(root: string, path: string, files: readonly string[]): CpuSet | null {
  for (let folder = path; ; folder = join(folder, "..")) {
    for (const file of files) {
      const list = (kernelFileIfThere(join(root, folder, file)) ?? "").trim();
      if (list !== "") return parseCpuList(list);
    }
    if (folder === "/") return null;
  }
}
