import { disksInArgs } from "../../config/device-words.ts";
import { drivesInArgs } from "../../config/drive-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { mediumEdits } from "../../config/medium-words.ts";
import { NO_MEDIUM, parseMedium } from "../../config/medium.ts";
import { nearest } from "../../nearest.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { shellWord } from "../model/format.ts";
import { runStateOf } from "../model/run-state.ts";
import { diskCalled, noSuchDisk } from "./disk-names.ts";
import { type CheckOptions, type Reason, when } from "./resource.ts";

/** Why a config can't have that medium in a drive. */
export function staticReasons(
  name: string,
  medium: string,
  { config, after }: Facts & { readonly after: LaunchConfig },
): readonly Reason[] {
  if (config === null) return [];
  const drive = drivesInArgs(config).find((each) => each.name === name);
  if (drive === undefined) return [noSuchDrive(name, config)];
  const edits = mediumEdits(drive, config.args, parseMedium(medium));
  return [
    ...(typeof edits === "string" ? [{ reason: `drive ${name} of the config: ${edits}`, instead: "edit args by hand" }] : []),
    ...when(medium === NO_MEDIUM && Object.hasOwn(after.disks?.throttle ?? {}, name), () => ({
      reason: `the config limits drive ${name} (disks.throttle), and QEMU can't limit an empty one, so the next start would fail`,
      instead: "limits of none too, in the same set, or before it by qmpctl blkdeviotune --static",
    })),
  ];
}

function noSuchDrive(name: string, config: LaunchConfig): Reason {
  const all = drivesInArgs(config).map((drive) => drive.name);
  if (disksInArgs(config.args).some(({ names }) => names.includes(name)))
    return { reason: `disk ${name} of the config is no drive whose medium can be changed`, instead: anyOf(all) };
  if (all.length > 0) {
    const guess = nearest(name, all);
    return { reason: `the config has no drive ${name}`, instead: guess ?? anyOf(all) };
  }
  return {
    reason: `the config has no drive ${name}: its args name none, and drives that QEMU makes by itself are not written in them`,
    instead: 'add "-cdrom", "FILE" to args, or "-device", "ide-cd,id=cd0"',
  };
}

function anyOf(all: readonly string[]): string {
  return all.length === 0 ? "a CD or floppy drive, as -device ide-cd,id=cd0 makes" : `one of ${all.slice(0, 12).join(", ")}`;
}

/** Why the medium of a running machine's drive can't be changed. */
export function liveReasons(name: string, { live }: LiveFacts, options: CheckOptions): readonly Reason[] {
  const disks = live.disks ?? [];
  const disk = diskCalled(name, disks);
  const drives = disks.filter(({ removable, qdev }) => removable && qdev !== null).map((each) => each.name);
  if (disk === undefined) return noSuchDisk(name, disks);
  if (!disk.removable || disk.qdev === null)
    return [{ reason: `disk ${name} of the running machine is no drive whose medium can be changed`, instead: anyOf(drives) }];
  const { is, next } = runStateOf(live.status);
  return [
    ...when(disk.medium?.node === name, () => ({
      reason: `drive ${name} has no id: its name is that of the node in it, and goes with the medium`,
      instead: "an id for its -device in args, and a restart",
    })),
    ...when(disk.locked && !live.running && !options.force, () => ({
      reason: `the guest holds the door of drive ${name}, and can't open it while it ${is}`,
      instead: `${next(shellWord(options.name))}, or --force, which opens it against its will`,
    })),
  ];
}
