import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { HostError, messageOf } from "../errors.ts";
import { propertyWords, setProperty, type Unit } from "./cgroup-unit.ts";
import { type CpuGroup, type Quota, readQuota, sharesOf } from "./cgroup.ts";
import { kernelFileIfThere } from "./kernel-file.ts";

/** One file of a group, and what is written to it. */
interface Writing {
  readonly file: string;
  readonly text: string;
}

/** The least quota that the kernel takes, in microseconds, and a period that has room for it. */
const LEAST = 1000;
const PERIOD = 100_000;

/** A group's quota in percent of one CPU, with two decimals. */
export function percentOf({ quota, period }: Quota): number | null {
  return quota === null ? null : Math.round((quota / period) * 10_000) / 100;
}

/** Limits the CPU time of a group: by its unit where it has one, else by its files. @throws HostError when systemd or the kernel says no */
export async function setQuota(group: CpuGroup, unit: Unit | null, percent: number | null, timeout: number): Promise<void> {
  if (unit !== null) return setProperty(unit, quotaProperty(percent), timeout);
  await writeAll(group, quotaWritings(group, percent));
}

/** Sets the weight of a group, from 1 to 10000, in the same way. @throws HostError when systemd or the kernel says no */
export async function setWeight(group: CpuGroup, unit: Unit | null, weight: number, timeout: number): Promise<void> {
  if (unit !== null) return setProperty(unit, `CPUWeight=${weight}`, timeout);
  await writeAll(group, weightWritings(group, weight));
}

/** What that sends, as a person would type it. */
export function quotaLine(group: CpuGroup, unit: Unit | null, percent: number | null): string {
  return unit === null ? linesOf(quotaWritings(group, percent)) : propertyWords(unit, quotaProperty(percent)).join(" ");
}

/** What that sends, as a person would type it. */
export function weightLine(group: CpuGroup, unit: Unit | null, weight: number): string {
  return unit === null ? linesOf(weightWritings(group, weight)) : propertyWords(unit, `CPUWeight=${weight}`).join(" ");
}

function quotaProperty(percent: number | null): string {
  return `CPUQuota=${percent === null ? "" : `${percent}%`}`;
}

/** The period stays as it is, unless it is too short for such a quota: so the way back leads to the very same files. */
function quotaWritings(group: CpuGroup, percent: number | null): readonly Writing[] {
  const { period: old } = readQuota(group);
  const fits = percent === null || Math.round((percent / 100) * old) >= LEAST;
  const period = fits ? old : PERIOD;
  const quota = percent === null ? null : Math.round((percent / 100) * period);
  if (group.version === 2) return [{ file: join(group.folder, "cpu.max"), text: `${quota ?? "max"} ${period}` }];
  const periods = fits ? [] : [{ file: join(group.folder, "cpu.cfs_period_us"), text: String(period) }];
  return [...periods, { file: join(group.folder, "cpu.cfs_quota_us"), text: String(quota ?? -1) }];
}

function weightWritings({ folder, version }: CpuGroup, weight: number): readonly Writing[] {
  return version === 2
    ? [{ file: join(folder, "cpu.weight"), text: String(weight) }]
    : [{ file: join(folder, "cpu.shares"), text: String(sharesOf(weight)) }];
}

function linesOf(writings: readonly Writing[]): string {
  return writings.map(({ file, text }) => `echo ${text} > ${file}`).join("; ");
}

async function writeAll(group: CpuGroup, writings: readonly Writing[]): Promise<void> {
  await enableCpu(group);
  for (const { file, text } of writings) await write(file, text);
}

/** Of the newer interface, a group has the files only if the group above lets it have them. */
export async function enableCpu({ folder, version }: CpuGroup): Promise<void> {
  if (version === 2 && kernelFileIfThere(join(folder, "cpu.max")) === undefined)
    await write(join(dirname(folder), "cgroup.subtree_control"), "+cpu");
}

/** Writes a file of the kernel's: in one piece, and never made anew. @throws HostError when the kernel says no */
export async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: "r+" }).catch((cause: unknown) => {
    const code = (cause as { readonly code?: string }).code ?? "";
    throw new HostError(`${file}: ${JSON.stringify(text)} was not taken: ${REASONS[code] ?? messageOf(cause)}`, {}, { cause });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  EINVAL: "it is outside of what a group above it, or its own cpu.max.burst, allows, or the group is idle (cpu.idle)",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "it is mounted read-only",
  ENOENT: "there is no such file: the cpu controller is not in this group",
  EBUSY: "the kernel has it in use: a group with processes of its own can't let those below it have the controller",
};
