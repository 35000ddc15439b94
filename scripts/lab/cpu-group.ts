/// <reference lib="esnext.disposable" />
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A control group of this host that was made for one process, read and written without the product. It goes when it is empty. */
export interface OwnGroup extends AsyncDisposable {
  readonly folder: string;
  readonly version: 1 | 2;
  /** The quota in percent of one CPU, as `150%` or `none`, and the weight, of which 100 is usual. */
  share(): Promise<{ readonly quota: string; readonly weight: number }>;
  /** Brings one more process into it. */
  add(pid: number): Promise<void>;
}

let turn = 0;

/** Moves a process into a new group with the cpu controller. Null where this host, or this user, has no way to one. */
export async function ownGroupFor(pid: number): Promise<OwnGroup | null> {
  for (const [version, root] of [
    [1, "/sys/fs/cgroup/cpu"],
    [1, "/sys/fs/cgroup/cpu,cpuacct"],
    [2, "/sys/fs/cgroup"],
  ] as const) {
    const made = await makeIn(root, version, pid);
    if (made !== null) return made;
  }
  return null;
}

async function makeIn(root: string, version: 1 | 2, pid: number): Promise<OwnGroup | null> {
  const folder = join(root, `qmpctl-test-${process.pid}-${turn++}-${pid}`);
  const add = (one: number): Promise<void> => writeFile(join(folder, "cgroup.procs"), String(one), { flag: "r+" });
  try {
    if (version === 2) await writeFile(join(root, "cgroup.subtree_control"), "+cpu", { flag: "r+" });
    await readFile(join(root, "cgroup.procs"));
    await mkdir(folder);
  } catch {
    return null;
  }
  const dispose = async (): Promise<void> => {
    // A process that was killed leaves a moment later.
    for (let left = 100; left > 0; left--) {
      const gone = await rmdir(folder).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === "ENOENT",
      );
      if (gone) return;
      await wait(20);
    }
  };
  try {
    await add(pid);
    await readFile(join(folder, version === 1 ? "cpu.shares" : "cpu.weight"));
  } catch {
    await dispose();
    return null;
  }
  return { folder, version, add, share: () => shareIn(folder), [Symbol.asyncDispose]: dispose };
}

/** The share of a group, from the files of either interface. */
export async function shareIn(folder: string): Promise<{ readonly quota: string; readonly weight: number }> {
  const text = (file: string): Promise<string> => readFile(join(folder, file), "utf8").catch(() => "");
  const [max, weight, quota, period, shares] = await Promise.all(
    ["cpu.max", "cpu.weight", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares"].map(text),
  );
  const [microseconds = "", of = ""] = max ? max.trim().split(" ") : [quota?.trim().replace("-1", "max"), period?.trim()];
  return {
    quota: microseconds === "max" || microseconds === "" ? "none" : `${(Number(microseconds) / Number(of)) * 100}%`,
    weight: weight ? Number(weight) : shares ? Math.round((Number(shares) * 100) / 1024) : 100,
  };
}
