import { deviceValues, type DiskInArgs, disksInArgs, idOf } from "../../config/device-words.ts";
import { formatLimits } from "../../config/disk-limits.ts";
import { drivesInArgs } from "../../config/drive-words.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { type Option, splitOptions } from "../../config/options.ts";
import type { LiveDisk } from "../facts/disk-parts.ts";
import { readDisks } from "../facts/disks.ts";
import type { Facts } from "../facts/facts.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { diskInArgs } from "../resources/disk-names.ts";
import { configLimits } from "../resources/disk-throttle.ts";
import { limitsShown } from "../resources/disk-throttling.ts";

/** One disk or drive of a domain: of a running machine what QEMU says, of a stopped one what the words of its config say. */
export interface DiskInfo {
  /** Its name in changes: the id of its device, else of its drive, else the name of its node. Null: QEMU names it when it runs. */
  readonly disk: string | null;
  /** How QEMU's commands name its device; null where none has it, or it does not run. */
  readonly qdev: string | null;
  readonly drive: string | null;
  readonly node: string | null;
  /** The file that is in it; null where nothing is. */
  readonly file: string | null;
  readonly format: string | null;
  /** The size that the guest sees, in bytes; null where that is not known. */
  readonly size: number | null;
  readonly readOnly: boolean | null;
  /** Whether what is in it can be changed. */
  readonly removable: boolean;
  readonly trayOpen: boolean | null;
  /** Limits, as `iops=100,bps=1048576`, or `none`; null where they are not known. */
  readonly config: string | null;
  readonly live: string | null;
}

/** The disks and drives of a domain. @throws ConfigError when the config can't be read */
export async function inspectDisks(place: Place, options: ReadOptions = {}): Promise<readonly DiskInfo[]> {
  const { facts } = await readBoth(place, { ...options, readers: [readDisks] });
  return disksIn(facts);
}

/** See `inspectDisks`; pure. */
export function disksIn({ live, config }: Facts): readonly DiskInfo[] {
  if (live !== null) return (live.disks ?? []).map((disk) => ofLive(disk, config));
  return config === null
    ? []
    : disksInArgs(config.args).map((disk) => ofArgs({ ...disk, name: disk.name ?? nameByQemu(disk, config) }, config));
}

function ofLive(disk: LiveDisk, config: LaunchConfig | null): DiskInfo {
  const { name, qdev, drive, removable, trayOpen, medium } = disk;
  const isKnown = config !== null && (Object.hasOwn(config.disks?.throttle ?? {}, name) || diskInArgs(name, config.args) !== undefined);
  return {
    disk: name,
    qdev,
    drive,
    node: medium?.node ?? null,
    file: medium?.file ?? null,
    format: medium?.format ?? null,
    size: medium?.size ?? null,
    readOnly: medium?.readOnly ?? null,
    removable,
    trayOpen: removable ? trayOpen : null,
    config: isKnown ? formatLimits(configLimits(name, config)) : null,
    live: limitsShown(disk),
  };
}

/** The name that QEMU gives to a drive of these words, where that is known. */
function nameByQemu({ device, medium }: DiskInArgs, config: LaunchConfig): string | null {
  const words = (device ?? medium)?.words.join("\0");
  return drivesInArgs(config).find((drive) => (drive.device ?? drive.holder)?.option.words.join("\0") === words)?.name ?? null;
}

function ofArgs({ name, device, medium }: DiskInArgs, config: LaunchConfig): DiskInfo {
  const values = medium === null ? undefined : deviceValues(medium);
  const driver = device === null ? (values?.get("media") ?? "") : (deviceValues(device).get("driver") ?? "");
  const isDrive = medium?.name === "drive";
  const isReadOnly = ["read-only", "readonly"].some((key) => values?.get(key) === "on");
  return {
    disk: name,
    qdev: null,
    drive: medium !== null && isDrive ? (idOf(medium) ?? null) : null,
    node: medium !== null && !isDrive ? (idOf(medium) ?? null) : null,
    file:
      medium === null || values === undefined
        ? null
        : isDrive || medium.name === "blockdev"
          ? fileOf(values, config.args)
          : wholeFile(medium),
    format: (isDrive ? values?.get("format") : values?.get("driver")) ?? null,
    size: null,
    readOnly: medium === null ? null : isReadOnly,
    removable: /(^|-)cd(rom)?$|floppy/.test(driver) || /^(cdrom|fd[ab])$/.test(medium?.name ?? "") || values?.get("if") === "floppy",
    trayOpen: null,
    config: name === null ? null : formatLimits(configLimits(name, config)),
    live: null,
  };
}

/** The file of an option that is nothing else, as `-cdrom FILE`, or a bare word. */
function wholeFile({ value, words }: Option): string | null {
  const file = value ?? words[0] ?? "";
  return file === "" ? null : file;
}

/** How many nodes may stand on each other. */
const DEEPEST = 20;

/** The file beneath a node, through the nodes that it stands on. */
function fileOf(values: ReadonlyMap<string, string>, args: readonly string[], depth: number = 0): string | null {
  const inner = [...values].find(([key]) => key === "filename" || key.endsWith(".filename"))?.[1];
  const file = values.get("file");
  if (inner !== undefined || file === undefined || depth === DEEPEST) return inner ?? null;
  const node = splitOptions(args).find((each) => each.name === "blockdev" && idOf(each) === file);
  return node === undefined ? file : fileOf(deviceValues(node), args, depth + 1);
}
