import { limitsInArgs } from "../../config/args-limits.ts";
import { type DiskLimits, formatLimits, parseLimits } from "../../config/disk-limits.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { diskCalled, diskInArgs, noSuchDisk, noSuchDiskInArgs } from "./disk-names.ts";
import { sharing } from "./disk-throttling.ts";
import { type CheckOptions, type Reason, when } from "./resource.ts";

/** Why a config can't limit a disk so. */
export function staticReasons(name: string, limits: string, { config }: Facts): readonly Reason[] {
  if (config === null) return [];
  const disk = diskInArgs(name, config.args);
  const inArgs = disk === undefined ? null : limitsInArgs(disk, config.args);
  if (inArgs !== null)
    return [
      {
        reason: `the args of the config limit disk ${name} themselves (${inArgs.words}), to ${formatLimits(inArgs.limits)}`,
        instead: "edit those words of args, or remove them first",
      },
    ];
  // A limit that goes away needs no disk.
  return limits === "none" ? [] : noSuchDiskInArgs(name, config);
}

/** Why a disk may not join a group of others that have other limits: it would change them all. */
export function groupReasons(
  name: string,
  text: string,
  all: Readonly<Record<string, DiskLimits>>,
  { force }: CheckOptions,
): readonly Reason[] {
  const { group, ...limits } = parseLimits(text);
  if (group === undefined || force || all[name]?.group === group) return [];
  const others = Object.entries(all).filter(([disk, each]) => disk !== name && each.group === group);
  const theirs = others.map(([disk, { group: _, ...each }]) => [disk, formatLimits(each)] as const);
  const [first] = theirs.filter(([, each]) => each !== formatLimits(limits));
  return first === undefined
    ? []
    : [
        joining(
          group,
          theirs.map(([disk]) => disk),
          first[1],
        ),
      ];
}

function joining(group: string, others: readonly string[], limits: string): Reason {
  return {
    reason: `group ${group} has other limits, ${limits}, and disk ${others.join(", ")} in it, which would get these too`,
    instead: `its limits (${limits}), another group, or --force`,
  };
}

/** Why a disk of a running machine can't be limited so. */
export function liveReasons(name: string, text: string, { live, config }: LiveFacts, options: CheckOptions): readonly Reason[] {
  const disks = live.disks ?? [];
  const disk = diskCalled(name, disks);
  if (disk === undefined) return noSuchDisk(name, disks);
  if (disk.medium === null)
    return [{ reason: `there is nothing in ${name}, and QEMU limits what is in a drive`, instead: "--static, or with a medium in it" }];
  const { group } = parseLimits(text);
  const { throttleNode } = disk.medium;
  if (throttleNode !== null)
    return when(group !== undefined, () => ({
      reason: `disk ${name} has the limits of group ${throttleNode}, of a throttle node in its graph, and can't leave it`,
      instead: "limits without a group",
    }));
  if (group === undefined) return [];
  if (group === disk.drive)
    return [{ reason: `group ${group}: that is the name of the disk's own drive`, instead: "no group, or another name" }];
  // What the config wants of the whole group is no surprise to the others.
  const wanted = config?.disks?.throttle ?? {};
  const inGroup = sharing(group, disk, disks);
  const asConfig = inGroup.every((other) => Object.hasOwn(wanted, other) && formatLimits(wanted[other] ?? {}) === text);
  const limits = Object.fromEntries(
    disks.flatMap((each) => (each.medium?.group == null ? [] : [[each.name, { ...each.medium.limits, group: each.medium.group }]])),
  );
  return asConfig ? [] : groupReasons(name, text, limits, options);
}
