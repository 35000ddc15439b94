import { inGroup } from "../../config/args-limits.ts";
import { type DiskLimits, formatLimits, LIMIT_KEYS, parseLimits } from "../../config/disk-limits.ts";
import { HostError } from "../../errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { BlockSetIoThrottleArguments } from "../../schema/generated/types.ts";
import type { LiveDisk, LiveMedium } from "../facts/disk-parts.ts";
import { disksOf } from "../facts/disks.ts";
import { diskCalled } from "./disk-names.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** Set the limits of a disk, and with them those of its group. */
export interface ThrottleStep extends Step {
  readonly kind: "disk-throttle";
  readonly disk: string;
  /** How QEMU's command names it: by its device, by its drive, or by the group of a throttle node. */
  readonly target: { readonly id: string } | { readonly device: string } | { readonly object: string };
  /** `none`, or limits without their group. */
  readonly limits: string;
  /** QEMU's name of the group that the disk is to be in. */
  readonly group: string;
  readonly before: { readonly limits: string; readonly group: string };
  /** The other disks that share the group's limits. */
  readonly others: readonly string[];
}

/** Sets limits by `block_set_io_throttle`, or in the group of a throttle node; counts when `query-block`, or the group, shows them. */
export const throttling: StepKind<ThrottleStep> = {
  kind: "disk-throttle",
  rank: 1,
  asksGuest: false,
  what: ({ disk, limits, others }) =>
    `${limits === "none" ? `remove the limits of disk ${disk}` : `limit disk ${disk} to ${limits}`}${others.length === 0 ? "" : `, and with it ${others.join(", ")}`}`,
  sends: ({ target, limits, group }) => sentAs(target, limits, group),
  undoing: ({ target, before }) => sentAs(target, before.limits, before.group),

  begin: (step, { monitor, deadline, signal }) => monitor.ask((session) => setLimits(step, session), { by: deadline, signal }),

  readBack: async ({ disk, limits, group }, { monitor, deadline, signal }) => {
    const found = diskCalled(disk, await monitor.ask(disksOf, { by: deadline, signal }));
    const is = stateOf(found?.medium ?? null);
    if (is.limits !== limits || (limits !== "none" && is.group !== group))
      throw new HostError(
        `disk ${disk}: asked for ${limits} in group ${group}, QEMU shows ${is.limits}${is.group === "" ? "" : ` in group ${is.group}`}`,
      );
    return { outcome: "done" };
  },

  inverse: (step, now, before) => {
    const disks = now.disks ?? [];
    const [own, was] = [diskCalled(step.disk, disks), diskCalled(step.disk, before.disks)];
    const back = own?.medium == null || was?.medium == null || isAs(own, was) ? [] : [backTo(own, was, disks)];
    // A disk that joined a group gave it its own limits: they go back too.
    const joined = step.before.group === step.group ? undefined : (before.disks ?? []).find(({ name }) => step.others.includes(name));
    const other = joined === undefined ? undefined : diskCalled(joined.name, disks);
    return joined === undefined || other === undefined || isAs(other, joined) ? back : [...back, backTo(other, joined, disks)];
  },

  remarks: ({ others, group, limits }, outcome) =>
    others.length === 0 || outcome !== "done" || limits === "none"
      ? []
      : [`the limits are those of all disks in group ${group}: ${others.join(", ")} ${others.length === 1 ? "has" : "have"} them too`],
};

/** The step that gives a disk these limits, as the machine is now. The limits may have a group in them. */
export function limitsStep(disk: LiveDisk, text: string, disks: readonly LiveDisk[]): ThrottleStep {
  const { group: wanted, ...limits } = parseLimits(text);
  const { name, qdev, drive, medium } = disk;
  const node = medium?.throttleNode ?? null;
  const group = node ?? wanted ?? qdev ?? drive ?? name;
  const isNone = formatLimits(limits) === "none";
  return {
    kind: "disk-throttle",
    disk: name,
    target: node !== null ? { object: node } : qdev !== null ? { id: qdev } : { device: drive ?? name },
    limits: formatLimits(limits),
    group,
    before: stateOf(medium),
    // A disk without limits leaves its group; the group of a node is never left.
    others: isNone && node === null ? [] : sharing(group, disk, disks),
  };
}

/** The names of the other disks in a group. */
export function sharing(group: string, disk: LiveDisk, disks: readonly LiveDisk[]): readonly string[] {
  return disks.filter((other) => other.name !== disk.name && other.medium?.group === group).map(({ name }) => name);
}

/** Sets the limits. @throws the session's errors */
export async function setLimits(
  { target, limits, group }: Pick<ThrottleStep, "target" | "limits" | "group">,
  session: Session,
): Promise<void> {
  if ("object" in target) {
    await session.execute("qom-set", { path: `/objects/${target.object}`, property: "limits", value: groupValues(limits) });
    return;
  }
  await session.execute("block_set_io_throttle", { ...target, ...values(limits, group) });
}

function sentAs(target: ThrottleStep["target"], limits: string, group: string): string {
  if ("object" in target)
    return `qom-set ${JSON.stringify({ path: `/objects/${target.object}`, property: "limits", value: groupValues(limits) })}`;
  return `block_set_io_throttle ${JSON.stringify({ ...target, ...values(limits, group) })}`;
}

/** QEMU sets all limits at once: what is left out of the six rates is no valid command, and what is left out of the rest is reset. */
function values(limits: string, group: string): Omit<BlockSetIoThrottleArguments, "id" | "device"> {
  const rates = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
  if (limits === "none") return rates;
  const given = parseLimits(limits);
  const others = LIMIT_KEYS.flatMap((key) => (given[key] === undefined ? [] : [[key.replaceAll("-", "_"), given[key]] as const]));
  return { ...rates, ...Object.fromEntries(others), group };
}

/** All limits of a group: it keeps those that are left out. */
function groupValues(limits: string): Readonly<Record<string, number>> {
  const given = parseLimits(limits);
  return Object.fromEntries(LIMIT_KEYS.map((key) => [inGroup(key), given[key] ?? (key.endsWith("-length") ? 1 : 0)]));
}

function stateOf(medium: LiveMedium | null): ThrottleStep["before"] {
  return { limits: formatLimits(medium?.limits ?? {}), group: medium?.group ?? "" };
}

function isAs(one: LiveDisk, other: LiveDisk): boolean {
  const [now, then] = [stateOf(one.medium), stateOf(other.medium)];
  return now.limits === then.limits && (now.limits === "none" || now.group === then.group);
}

function backTo(now: LiveDisk, was: LiveDisk, disks: readonly LiveDisk[]): ThrottleStep {
  const then = stateOf(was.medium);
  return { ...limitsStep(now, then.limits, disks), ...(then.group === "" ? {} : { group: then.group }) };
}

/** The limits of a disk with its group, as a config would have them; null where there is no such disk, or nothing in it. */
export function limitsShown(disk: LiveDisk | undefined): string | null {
  if (disk?.medium == null) return null;
  const { limits, group, throttleNode } = disk.medium;
  const isOwn = group === null || throttleNode !== null || group === disk.qdev || group === disk.drive || group === disk.name;
  return formatLimits(isOwn ? limits : { ...limits, group: group as DiskLimits["group"] });
}
