import { dirname, join } from "node:path";
import { formatQuota } from "../../config/quota.ts";
import { type Unit, unitOf } from "../../host/cgroup-unit.ts";
import { percentOf } from "../../host/cgroup-write.ts";
import {
  type CpuGroup,
  cpuGroupOf,
  hasStartedUs,
  type Member,
  othersIn,
  readQuota,
  readWeight,
  threadsApart,
  whyNotWritten,
} from "../../host/cgroup.ts";
import { kernelFileIfThere } from "../../host/kernel-file.ts";

/** The control group that shares CPU time out to QEMU. */
export interface LiveCpuGroup {
  /** Null where it is not to be seen; `obstacle` says why. */
  readonly group: CpuGroup | null;
  readonly unit: Unit | null;
  /** Whether nobody else is in it: only then its values are QEMU's. */
  readonly isOwn: boolean;
  /** In percent of one CPU: `150%`, `none`; null where it is not QEMU's own. */
  readonly quota: string | null;
  /** From 1 to 10000; 0 where the group is idle; null where it is not QEMU's own. */
  readonly weight: number | null;
  /** The least quota of the groups above, which limits this one too; null where they have none. */
  readonly above: { readonly path: string; readonly percent: number } | null;
  /** Why nothing can be set; null where it can. */
  readonly obstacle: string | null;
}

/** The group of a process. Never throws: what can't be seen is an obstacle. */
export async function liveCpuGroup(pid: number | null): Promise<LiveCpuGroup> {
  if (pid === null) return none("QEMU's process is not on this host, or is not known here");
  const group = cpuGroupOf(pid);
  if ("why" in group) return none(group.why);
  const unit = await unitOf(group);
  const others = othersIn(group.folder, pid).filter((other) => unit?.isOneshot !== true || !hasStartedUs(other.pid));
  const apart = await threadsApart(group, pid);
  const isOwn = others.length === 0 && apart === null && group.path !== "/";
  return {
    group,
    unit,
    isOwn,
    quota: isOwn ? formatQuota(percentOf(readQuota(group))) : null,
    weight: isOwn ? readWeight(group) : null,
    above: isOwn ? leastAbove(group) : null,
    obstacle: apart ?? shared(group, others) ?? (unit === null ? readOnly(group) : null),
  };
}

function none(obstacle: string): LiveCpuGroup {
  return { group: null, unit: null, isOwn: false, quota: null, weight: null, above: null, obstacle };
}

/** So many of the others are named. */
const MOST_NAMED = 5;

function shared({ path }: CpuGroup, others: readonly Member[]): string | null {
  if (others.length === 0) return path === "/" ? "it is in no cgroup but the one of the whole host, which has no limits" : null;
  const named = others.slice(0, MOST_NAMED).map(({ pid, name }) => (pid === 0 ? name : `${name} (${pid})`));
  const rest = others.length > MOST_NAMED ? ` and ${others.length - MOST_NAMED} more` : "";
  return `its cgroup, ${path}, is not its own: it would limit ${named.join(", ")}${rest} as well`;
}

/** Where the file that is to be written does not exist yet, the one that brings it is looked at. */
function readOnly({ folder, version }: CpuGroup): string | null {
  const file = join(folder, version === 1 ? "cpu.shares" : "cpu.max");
  const why = whyNotWritten(file);
  if (why === null) return null;
  const isAbsent = version === 2 && kernelFileIfThere(file) === undefined;
  const control = join(dirname(folder), "cgroup.subtree_control");
  const whyControl = isAbsent ? whyNotWritten(control) : why;
  return whyControl === null ? null : `${isAbsent ? control : file} ${whyControl}`;
}

function leastAbove({ path, folder, version }: CpuGroup): LiveCpuGroup["above"] {
  let least: LiveCpuGroup["above"] = null;
  for (let [at, where] = [dirname(path), dirname(folder)]; at !== "/"; [at, where] = [dirname(at), dirname(where)]) {
    const percent = percentOf(readQuota({ folder: where, version }));
    if (percent !== null && (least === null || percent < least.percent)) least = { path: at, percent };
  }
  return least;
}
