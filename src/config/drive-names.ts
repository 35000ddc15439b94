import { deviceValues } from "./device-words.ts";
import { machineTypeOf } from "./option-values.ts";
import { type Option, splitOptions } from "./options.ts";

/** Where the options stand that are a drive by themselves, by QEMU's number. */
const INDEX: Readonly<Record<string, number>> = { hda: 0, hdb: 1, hdc: 2, hdd: 3, cdrom: 2, fda: 0, fdb: 1 };

/**
 * The names that QEMU gives to drives of a PC that have none: `ide1-cd0`, `floppy0`. By the position of each option among all; empty for
 * other machines, whose boards name them in other ways.
 */
export function drivesNamedByQemu(args: readonly string[], emulator: string): ReadonlyMap<number, string> {
  const options = splitOptions(args);
  const machine = machineTypeOf(options) ?? "pc";
  const units = /^(pc-)?q35/.test(machine) ? 1 : /^(pc|isapc)/.test(machine) ? 2 : null;
  if (units === null || !/(x86_64|i386)/.test(emulator)) return new Map();
  const taken = { ide: new Set<number>(), floppy: new Set<number>() };
  const names = options.map((option, position): readonly (readonly [number, string])[] => {
    const place = placeOf(option);
    if (place === null) return [];
    const { bus, isCd, id } = place;
    const index = place.index ?? firstFree(taken[bus]);
    taken[bus].add(index);
    if (id !== undefined) return [];
    const name = bus === "floppy" ? `floppy${index}` : `ide${Math.floor(index / units)}-${isCd ? "cd" : "hd"}${index % units}`;
    return [[position, name]];
  });
  return new Map(names.flat());
}

interface DrivePlace {
  readonly bus: "ide" | "floppy";
  readonly isCd: boolean;
  readonly index: number | undefined;
  readonly id: string | undefined;
}

/** Where a drive stands; null for what is none, or stands elsewhere. */
function placeOf(option: Option): DrivePlace | null {
  const { name } = option;
  if (Object.hasOwn(INDEX, name))
    return { bus: name.startsWith("fd") ? "floppy" : "ide", isCd: name === "cdrom", index: INDEX[name], id: undefined };
  // A bare word is a disk.
  if (name === "" && option.words.length === 1) return { bus: "ide", isCd: false, index: undefined, id: undefined };
  if (name !== "drive") return null;
  const values = deviceValues(option);
  const bus = values.get("if") ?? "ide";
  if ((bus !== "ide" && bus !== "floppy") || values.has("bus")) return null;
  const index = values.get("index");
  return { bus, isCd: values.get("media") === "cdrom", index: index === undefined ? undefined : Number(index), id: values.get("id") };
}

function firstFree(taken: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index)) index++;
  return index;
}
