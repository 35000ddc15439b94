import { deviceValues, idOf } from "./device-words.ts";
import { drivesNamedByQemu } from "./drive-names.ts";
import type { LaunchConfig } from "./launch.ts";
import { formatOf, isFormat, type Medium } from "./medium.ts";
import { type Option, splitOptions } from "./options.ts";

/** An option, and the position of its first word in args. */
export interface Placed {
  readonly option: Option;
  readonly at: number;
}

/** One drive of a command line whose medium can be changed. */
export interface DriveInArgs {
  readonly name: string;
  /** The words of its device; null where its drive makes one itself. */
  readonly device: Placed | null;
  /** The words of what is in it: `-drive`, `-cdrom`, `-fda`, or the `-blockdev` on top; null: there are none. */
  readonly holder: Placed | null;
  readonly isFloppy: boolean;
}

/** What the words of a drive say of its medium. `other`: they are no file, so that they can't be changed. */
export type MediumInArgs = { readonly medium: Medium | null } | { readonly other: string };

/** Devices that are such a drive. */
const DRIVERS = /^(ide-cd|scsi-cd|floppy)$/;

/** The options of a command line, each with its position. */
export function placedOptions(args: readonly string[]): readonly Placed[] {
  let next = 0;
  return splitOptions(args).map((option) => {
    const at = next;
    next += option.words.length;
    return { option, at };
  });
}

/** The drives of a command line whose medium can be changed. Those that QEMU makes by itself are not among them. */
export function drivesInArgs({ args, emulator }: Pick<LaunchConfig, "args" | "emulator">): readonly DriveInArgs[] {
  const placed = placedOptions(args);
  const named = drivesNamedByQemu(args, emulator);
  const used = new Set<Placed>();
  const ofDevices = placed.flatMap((device): readonly DriveInArgs[] => {
    const values = device.option.name === "device" ? deviceValues(device.option) : undefined;
    const driver = values?.get("driver") ?? "";
    const drive = values?.get("drive");
    const holder = drive === undefined ? null : (holderOf(drive, placed) ?? null);
    if (holder !== null) used.add(holder);
    if (!DRIVERS.test(driver)) return [];
    // The name of a node goes with the medium.
    const name = values?.get("id") ?? (holder?.option.name === "drive" ? drive : undefined);
    return name === undefined ? [] : [{ name, device, holder, isFloppy: driver === "floppy" }];
  });
  const others = placed.flatMap((holder, position): readonly DriveInArgs[] => {
    const { option } = holder;
    const values = option.name === "drive" ? deviceValues(option) : undefined;
    const isFloppy = /^fd[ab]$/.test(option.name) || values?.get("if") === "floppy";
    const isDrive = option.name === "cdrom" || isFloppy || values?.get("media") === "cdrom";
    const name = (option.name === "drive" ? idOf(option) : undefined) ?? named.get(position);
    return !isDrive || used.has(holder) || name === undefined ? [] : [{ name, device: null, holder, isFloppy }];
  });
  return [...ofDevices, ...others];
}

/** The `-drive` or `-blockdev` of that name. */
function holderOf(name: string, placed: readonly Placed[]): Placed | undefined {
  return placed.find(({ option }) => /^(drive|blockdev)$/.test(option.name) && idOf(option) === name);
}

/** What the words of a drive say of its medium. */
export function mediumInArgs({ device, holder }: DriveInArgs, args: readonly string[]): MediumInArgs {
  if (holder === null)
    return device !== null && deviceValues(device.option).has("drive") ? { other: device.option.value ?? "" } : { medium: null };
  const { option } = holder;
  if (option.name === "blockdev") {
    const found = fileBeneath(holder, args);
    return found === null ? { other: option.value ?? "" } : { medium: { format: found.format, file: found.file } };
  }
  if (option.name !== "drive") return { medium: mediumAt(option.value ?? "", undefined) };
  const values = deviceValues(option);
  const file = values.get("file") ?? values.get("file.filename") ?? "";
  const isOther = file === "" && ["driver", "format", "file.driver"].some((key) => values.has(key));
  return isOther ? { other: option.value ?? "" } : { medium: mediumAt(file, values.get("format") ?? values.get("driver")) };
}

function mediumAt(file: string, format: string | undefined): Medium | null {
  return file === "" ? null : { format: format ?? formatOf(file), file };
}

/** The file beneath a node: which option names it, by which key, and all `-blockdev` on the way. */
export interface FileBeneath extends Medium {
  readonly at: Placed;
  readonly key: string;
  readonly nodes: readonly Placed[];
}

/** How many nodes may stand on each other. */
const DEEPEST = 20;

/** The file beneath the node on top, where it is a format on a file and nothing between; null for anything else. */
export function fileBeneath(top: Placed, args: readonly string[]): FileBeneath | null {
  const format = deviceValues(top.option).get("driver") ?? "";
  const placed = placedOptions(args);
  const nodes: Placed[] = [];
  for (let node: Placed | undefined = top; node !== undefined && nodes.length < DEEPEST;) {
    nodes.push(node);
    const values = deviceValues(node.option);
    const [own, inner] = [values.get("driver"), values.get("file.driver")];
    const isOnTop = nodes.length === 1;
    if (own !== "file" && !(isOnTop && isFormat(format))) return null;
    const key = own === "file" ? "filename" : "file.filename";
    const file = values.get(key);
    if (file !== undefined && (own === "file" || inner === "file"))
      return { format: own === "file" && isOnTop ? "raw" : format, file, at: node, key, nodes };
    const next = values.get("file");
    node = next === undefined ? undefined : holderOf(next, placed);
  }
  return null;
}
