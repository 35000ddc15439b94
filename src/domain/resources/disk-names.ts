import { type DiskInArgs, disksInArgs } from "../../config/device-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { nearest } from "../../nearest.ts";
import type { LiveDisk } from "../facts/disk-parts.ts";
import type { Reason } from "./resource.ts";

/** The disk of that name; undefined where there is none, or another name of it was given. */
export function diskCalled(name: string, disks: readonly LiveDisk[] | undefined): LiveDisk | undefined {
  return disks?.find((disk) => disk.name === name);
}

/** The disk of that name in a command line. */
export function diskInArgs(name: string, args: readonly string[]): DiskInArgs | undefined {
  return disksInArgs(args).find((disk) => disk.name === name);
}

/** Why a running machine has no disk of that name; nothing where it has. */
export function noSuchDisk(name: string, disks: readonly LiveDisk[] | undefined): readonly Reason[] {
  return diskCalled(name, disks) === undefined ? [unknown(name, "the running machine", disks ?? [])] : [];
}

/** Why a config has no disk of that name; nothing where it has, or may have: QEMU names those that have no id. */
export function noSuchDiskInArgs(name: string, { args }: LaunchConfig): readonly Reason[] {
  const disks = disksInArgs(args);
  if (disks.some((disk) => disk.name === name)) return [];
  const named = disks.flatMap((disk) => (disk.name === null ? [] : [{ name: disk.name, names: disk.names }]));
  const other = named.find(({ names }) => names.includes(name));
  return other === undefined && disks.some((disk) => disk.name === null) ? [] : [unknown(name, "the config", named)];
}

function unknown(name: string, where: string, disks: readonly { readonly name: string; readonly names: readonly string[] }[]): Reason {
  const own = disks.find(({ names }) => names.includes(name));
  if (own !== undefined) return { reason: `${where} calls disk ${name} ${own.name}`, instead: `the name ${own.name}` };
  const all = disks.map((disk) => disk.name);
  if (all.length === 0)
    return { reason: `${where} has no disk ${name}: it has no disks`, instead: "a disk that it has: qmpctl domblklist shows them" };
  const guess = nearest(name, all);
  return {
    reason: `${where} has no disk ${name}`,
    instead: guess === undefined ? `one of ${all.slice(0, 12).join(", ")}` : `${guess}, of ${all.slice(0, 12).join(", ")}`,
  };
}
