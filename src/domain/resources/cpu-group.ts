import type { LaunchConfig } from "../../config/launch.ts";
import { parseQuota } from "../../config/quota.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { HostError } from "../../errors.ts";
import type { Unit } from "../../host/cgroup-unit.ts";
import type { CpuGroup } from "../../host/cgroup.ts";
import { liveCpuGroup, type LiveCpuGroup } from "../facts/cgroup.ts";
import type { Live } from "../facts/live.ts";
import { pollUntil, type Until } from "../machine/poll-until.ts";
import { shellWord } from "../model/format.ts";
import { type Reason, when } from "./resource.ts";
import { CHANGED, type DiffRow } from "./row.ts";

/** A group that can be written, and whose it is. */
export interface WritableGroup {
  readonly group: CpuGroup;
  readonly unit: Unit | null;
}

/** What would work where QEMU's group can't be given a share of its own. */
export function wayToOwnGroup(name: string): string {
  return `the same with --static, then qmpctl restart ${shellWord(name)}: a start gives QEMU a cgroup of its own if it may (as root, or as a user with loginctl enable-linger); systemd-run --scope does so too`;
}

/** Why the group of a running machine can't be changed. */
export function groupReasons({ cpuGroup }: Live, name: string): readonly Reason[] {
  const obstacle = cpuGroup === undefined ? "its cgroup was not looked for" : cpuGroup.obstacle;
  return when(obstacle !== null, () => ({ reason: `QEMU's share of the CPUs can't be set: ${obstacle}`, instead: wayToOwnGroup(name) }));
}

/** The group as it is at this moment: others may have joined it since it was read. @throws HostError when it can't be changed */
export async function groupNow(pid: number | null): Promise<WritableGroup> {
  const { group, unit, obstacle } = await liveCpuGroup(pid);
  if (group === null || obstacle !== null) throw new HostError(`QEMU's share of the CPUs can't be set: ${obstacle ?? "it has no cgroup"}`);
  return { group, unit };
}

/** Waits until a value of the group is the wanted one: systemd answers before it has written. @throws HostError when it is another */
export async function untilItIs<T>(what: string, wanted: T, look: () => T, until: Until): Promise<void> {
  const { seen, done } = await pollUntil({ look: async () => look(), done: (value) => value === wanted }, until);
  if (!done) throw new HostError(`${what}: asked for ${String(wanted)}, the kernel shows ${String(seen)}`);
}

/** The group as it was read, if it is QEMU's own. */
export function ownGroup({ cpuGroup }: Live): LiveCpuGroup | null {
  return cpuGroup?.isOwn === true ? cpuGroup : null;
}

/** The config with another value of the two; undefined takes it out. */
export function withShare(config: LaunchConfig, share: NonNullable<LaunchConfig["cpu"]>): LaunchConfig {
  const merged = { ...config.cpu, ...share };
  return { ...config, cpu: Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined)) };
}

/** What a quota leaves too little of: with all vCPUs busy, nothing is left for the threads that serve disks and network cards. */
export function starvation(quota: string, vcpus: number): readonly string[] {
  const percent = parseQuota(quota);
  if (percent === null || percent > vcpus * 100) return [];
  const enough = Math.ceil(vcpus * 100 + Math.max(25, vcpus * 12.5));
  return [
    `with a quota of ${quota}, ${vcpus === 1 ? "a busy vCPU" : `${vcpus} busy vCPUs`} can take all of it, and the threads that serve disks and network wait: ${enough}% or more leaves them room`,
  ];
}

/** The row of one of the two in `diff`: none where neither half has anything else than the usual value. */
export function shareRow<T extends string | number>(
  resource: string,
  { wanted, actual, usual }: { readonly wanted: T | null; readonly actual: T | null; readonly usual: T },
  live: Live | null,
): readonly DiffRow[] {
  if ([wanted, actual].every((each) => each === null || each === usual)) return [];
  const why = live === null || wanted === null || wanted === actual ? null : actual === null ? (live.cpuGroup?.obstacle ?? null) : CHANGED;
  return [{ resource, config: wanted, live: actual, guest: null, why }];
}

/** How long systemd and the kernel may take for it at a start, in milliseconds. */
const AT_START = 5000;

/** Gives a machine that is set up what its config says, unless that is usual. @throws HostError where it can't, or is not so after */
export async function shareAtStart(
  live: Live,
  { name, asks }: { readonly name: string; readonly asks: string },
  give: (where: WritableGroup, by: Deadline) => Promise<void>,
): Promise<void> {
  const [refusal] = groupReasons(live, name);
  if (refusal !== undefined) throw new HostError(`${refusal.reason}, and ${asks}`);
  await give(await groupNow(live.pid), deadlineIn(AT_START));
}
