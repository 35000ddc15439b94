import { valuesOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** One disk or drive of a command line, as far as its words say. */
export interface DiskInArgs {
  /** What qmpctl calls it: the id of its device, else of its drive, else the name of its node; null: QEMU names it. */
  readonly name: string | null;
  /** Every id that it has. */
  readonly names: readonly string[];
  /** The words of its device, `-device` and its value; null where its drive makes one itself. */
  readonly device: Option | null;
  /** The words of what is in it, `-drive` or `-blockdev`; null: there is nothing in it, or another node has its name. */
  readonly medium: Option | null;
}

/** The key that the first item of an option's value may leave out. */
const FIRST: Readonly<Record<string, string>> = { device: "driver", blockdev: "driver", netdev: "type", object: "qom-type" };

/** The values of `-device`, `-drive`, `-blockdev`, `-netdev` or `-object`, in either of QEMU's notations. */
export function deviceValues(option: Option): ReadonlyMap<string, string> {
  return valuesOf(option, FIRST[option.name] ?? "");
}

/** Devices that are a drive, even with nothing in it. */
const DRIVES: ReadonlySet<string> = new Set(["ide-cd", "scsi-cd", "ide-hd", "scsi-hd", "floppy"]);
/** Options that are a whole disk. */
const SHORT: ReadonlySet<string> = new Set(["hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "sd", "mtdblock", "pflash", ""]);

/** The disks and drives of a command line, in its order. Those that QEMU makes by itself are not among them. */
export function disksInArgs(args: readonly string[]): readonly DiskInArgs[] {
  const options = splitOptions(args);
  const media = options.filter(({ name }) => name === "drive" || name === "blockdev");
  const used = new Set<Option>();
  const ofDevices = options.flatMap((device): readonly DiskInArgs[] => {
    if (device.name !== "device") return [];
    const values = deviceValues(device);
    const drive = values.get("drive");
    if (drive === undefined && !DRIVES.has(values.get("driver") ?? "")) return [];
    const medium = drive === undefined ? undefined : media.find((each) => idOf(each) === drive);
    if (medium !== undefined) used.add(medium);
    return [diskOf(device, medium ?? null, [values.get("id"), drive])];
  });
  let virtio = 0;
  const others = options.flatMap((option): readonly DiskInArgs[] => {
    if (option.name === "drive" && !used.has(option)) {
      const values = deviceValues(option);
      // QEMU counts these, and names them so: virtio0.
      const unit = values.get("if") === "virtio" ? Number(values.get("unit") ?? values.get("index") ?? virtio++) : null;
      return [diskOf(null, option, [idOf(option) ?? (unit === null ? undefined : `virtio${unit}`)])];
    }
    return SHORT.has(option.name) ? [diskOf(null, option, [])] : [];
  });
  return [...ofDevices, ...others];
}

function diskOf(device: Option | null, medium: Option | null, ids: readonly (string | undefined)[]): DiskInArgs {
  const names = [...new Set(ids.filter((id) => id !== undefined && id !== ""))] as readonly string[];
  return { name: names[0] ?? null, names, device, medium };
}

/** The id of an option, as QEMU's other options name it: a node's name of `-blockdev`. */
export function idOf(option: Option): string | undefined {
  return deviceValues(option).get(option.name === "blockdev" ? "node-name" : "id");
}

/** The throttle group that a node beneath a disk belongs to, as a command line says; null where there is none. */
export function throttleGroupOf({ medium }: DiskInArgs, args: readonly string[]): string | null {
  return medium === null ? null : (throttleBeneath(deviceValues(medium), args, 0) ?? null);
}

/** How many nodes may stand on each other, which a command line that can't be started may have in a circle. */
const DEEPEST = 20;

function throttleBeneath(values: ReadonlyMap<string, string>, args: readonly string[], depth: number): string | undefined {
  const inner = [...values].find(([key]) => key === "throttle-group" || key.endsWith(".throttle-group"))?.[1];
  const file = values.get("file");
  if (inner !== undefined || file === undefined || depth === DEEPEST) return inner;
  const node = splitOptions(args).find((each) => each.name === "blockdev" && idOf(each) === file);
  return node === undefined ? undefined : throttleBeneath(deviceValues(node), args, depth + 1);
}
