import { idOf } from "../../config/device-words.ts";
import { type DriveInArgs, drivesInArgs, fileBeneath, mediumInArgs } from "../../config/drive-words.ts";
import type { Edit } from "../../config/edit.ts";
import { editedArgs } from "../../config/iothread-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { mediumEdits } from "../../config/medium-words.ts";
import { formatMedium, NO_MEDIUM, parseMedium } from "../../config/medium.ts";
import { UsageError } from "../../errors.ts";
import type { LiveDisk } from "../facts/disk-parts.ts";
import { readDisks } from "../facts/disks.ts";
import type { LiveFacts } from "../facts/facts.ts";
import { shellWord } from "../model/format.ts";
import { liveReasons, staticReasons } from "./disk-medium-reasons.ts";
import { changing, freeing, freeStep, mediumShown, type MediumStep } from "./disk-medium-steps.ts";
import { diskCalled } from "./disk-names.ts";
import type { CheckOptions, Complain, ResourceKind } from "./resource.ts";
import { type BothFacts, CHANGED } from "./row.ts";
import type { Step } from "./step.ts";

/**
 * What is in a CD or floppy drive: `medium` is one text, a path from /, with `qcow2:` and the like before it where its name does not say
 * so,
 * or `none`.
 */
export interface DiskMediumChange {
  readonly resource: "disk-medium";
  /** The name of the drive, as `domain.disks()` shows it. */
  readonly disk: string;
  readonly medium: string;
}

/** `change-media`: what is in a drive. */
export const diskMedium: ResourceKind<DiskMediumChange, { readonly disks: { readonly medium: Readonly<Record<string, string | null>> } }> =
  {
    resource: "disk-medium",
    row: 202,
    label: ({ disk }) => `disk-medium ${disk}`,
    unit: "text",
    members: { disk: "text", medium: "text" },
    inFile: { path: ["disks", "medium"], shape: '{"DRIVE": FILE}', example: '{"cd0": "/a.iso"}', changes: mediaIn },
    needsGuest: false,
    stepKinds: [changing, freeing] as never,

    check: ({ disk, medium }) => {
      if (disk === "") throw new UsageError("drive: its name is empty", { value: disk, expected: "the name of a drive" });
      parseMedium(medium);
    },
    withValue: (change, value) => ({ ...change, medium: String(value) }),
    wanted: ({ medium }) => canonical(medium),
    command: ({ disk, medium }, name) =>
      `change-media ${shellWord(name)} ${shellWord(disk)} ${canonical(medium) === NO_MEDIUM ? "--eject" : shellWord(canonical(medium))}`,

    inConfig: ({ disk }, config) => configText(driveCalled(disk, config), config),
    edits: (change, config) => editsOf(change, config),
    applied: (change, config) => ({ ...config, args: editedArgs(config.args, editsOf(change, config)) }),
    staticReasons: (change, facts) => staticReasons(change.disk, canonical(change.medium), facts),

    reads: [readDisks],
    inLive: ({ disk }, live) => mediumShown(diskCalled(disk, live.disks)),
    needed: (change, { live }) => mediumShown(diskCalled(change.disk, live.disks)) !== canonical(change.medium),
    liveReasons: (change, facts, options) => liveReasons(change.disk, facts, options),
    steps: (change, facts, options): readonly Step[] => {
      const disk = diskCalled(change.disk, facts.live.disks);
      if (disk?.qdev == null) return [];
      const nodes = nodesOf(disk, facts);
      return [stepFor(disk, disk.qdev, canonical(change.medium), options), ...(nodes.length === 0 ? [] : [freeStep(nodes)])];
    },

    rows: ({ config, live }) =>
      config === null || live === null
        ? []
        : differing({ config, live }).map(([disk, stored, now]) => ({
            resource: `disk-medium ${disk}`,
            config: stored,
            live: now,
            guest: null,
            why: CHANGED,
          })),
    // What is no file can't be put in again.
    revert: (facts) =>
      differing(facts).flatMap(([disk, stored, , isFile]) => (isFile ? [{ resource: "disk-medium", disk, medium: stored }] : [])),
    // Nor can it be taken out of words that are for more than a file.
    persist: (facts) =>
      differing(facts).flatMap(([disk, , now]) => {
        const change: DiskMediumChange = { resource: "disk-medium", disk, medium: now };
        return staticReasons(disk, now, { ...facts, after: facts.config }).length > 0 ? [] : [change];
      }),
  };

function canonical(medium: string): string {
  return formatMedium(parseMedium(medium));
}

function driveCalled(name: string, config: LaunchConfig): DriveInArgs | undefined {
  return drivesInArgs(config).find((drive) => drive.name === name);
}

function configText(drive: DriveInArgs | undefined, { args }: LaunchConfig): string | null {
  if (drive === undefined) return null;
  const found = mediumInArgs(drive, args);
  return "other" in found ? found.other : formatMedium(found.medium);
}

function editsOf({ disk, medium }: DiskMediumChange, config: LaunchConfig): readonly Edit[] {
  const drive = driveCalled(disk, config);
  const edits = drive === undefined ? [] : mediumEdits(drive, config.args, parseMedium(medium));
  return typeof edits === "string" ? [] : edits;
}

function stepFor(disk: LiveDisk, id: string, medium: string, options: CheckOptions | undefined): MediumStep {
  const node = disk.medium?.node ?? "#";
  return {
    kind: "disk-medium",
    disk: disk.name,
    id,
    medium,
    before: mediumShown(disk) ?? NO_MEDIUM,
    node: null,
    nodeBefore: node.startsWith("#") ? null : node,
    mode: disk.noTray !== true ? "read-only" : disk.medium === null ? "read-write" : "retain",
    locked: disk.locked,
    force: options?.force ?? false,
  };
}

/** The nodes that hold what is in a drive and have a name, the one on top first: QEMU frees the others by itself. */
function nodesOf({ name, medium }: LiveDisk, { config }: LiveFacts): readonly string[] {
  const top = medium?.node ?? "#";
  if (top.startsWith("#")) return [];
  const holder = config === null ? null : (driveCalled(name, config)?.holder ?? null);
  const isIts = holder !== null && idOf(holder.option) === top;
  const nodes = isIts && config !== null ? (fileBeneath(holder, config.args)?.nodes ?? []) : [];
  return [...new Set([top, ...nodes.flatMap(({ option }) => idOf(option) ?? [])])];
}

/** The drives of both halves that hold different media, and whether the config's is a file. */
function differing({
  config,
  live,
}: Pick<BothFacts, "config" | "live">): readonly (readonly [disk: string, config: string, live: string, isFile: boolean])[] {
  return drivesInArgs(config).flatMap((drive) => {
    const [stored, now] = [configText(drive, config), mediumShown(diskCalled(drive.name, live.disks))];
    return stored === null || now === null || stored === now
      ? []
      : [[drive.name, stored, now, !("other" in mediumInArgs(drive, config.args))] as const];
  });
}

/** The media of an allocation file; null means none. */
function mediaIn(value: unknown, place: string, complain: Complain): readonly DiskMediumChange[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    complain(place, value, 'an object, as {"cd0": "/a.iso"}');
    return [];
  }
  return Object.entries(value).flatMap(([disk, medium]: readonly [string, unknown]): readonly DiskMediumChange[] => {
    if (medium === null || typeof medium === "string") return [{ resource: "disk-medium", disk, medium: medium ?? NO_MEDIUM }];
    complain(`${place}.${disk}`, medium, 'a text, as "/a.iso", or null');
    return [];
  });
}
