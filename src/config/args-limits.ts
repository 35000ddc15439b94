import { deviceValues, type DiskInArgs, idOf, throttleGroupOf } from "./device-words.ts";
import { type DiskLimits, LIMIT_KEYS, type LimitKey, numberOf } from "./disk-limits.ts";
import { splitOptions } from "./options.ts";

/** The limits that words of a command line give to a disk, and which words do. */
export interface ArgsLimits {
  readonly words: string;
  readonly limits: DiskLimits;
}

/** The limits that a command line gives to a disk; null where it says nothing of them. */
export function limitsInArgs(disk: DiskInArgs, args: readonly string[]): ArgsLimits | null {
  if (disk.medium === null) return null;
  const values = deviceValues(disk.medium);
  const own = [...values.keys()].find((key) => key.startsWith("throttling.") || LEGACY.has(key));
  if (own !== undefined) return { words: own, limits: ofDrive(values) };
  const group = throttleGroupOf(disk, args);
  if (group === null) return null;
  const object = splitOptions(args).find((each) => each.name === "object" && idOf(each) === group);
  return { words: `throttle-group=${group}`, limits: object === undefined ? {} : ofGroup(deviceValues(object)) };
}

/** The older names of a drive's limits: `iops_rd_max`. Lengths never had one. */
const LEGACY: ReadonlySet<string> = new Set(LIMIT_KEYS.filter((key) => !key.endsWith("length")).map((key) => key.replaceAll("-", "_")));

function ofDrive(values: ReadonlyMap<string, string>): DiskLimits {
  const group = values.get("throttling.group") ?? values.get("group");
  return {
    ...read((key) => values.get(`throttling.${inGroup(key)}`) ?? values.get(key.replaceAll("-", "_"))),
    ...(group === undefined ? {} : { group }),
  };
}

function ofGroup(values: ReadonlyMap<string, string>): DiskLimits {
  return read((key) => values.get(`limits.${inGroup(key)}`) ?? values.get(`x-${inGroup(key)}`));
}

/** A value that can't be read is left out: QEMU says what is wrong with it. */
function read(valueAt: (key: LimitKey) => string | undefined): DiskLimits {
  const found = LIMIT_KEYS.flatMap((key) => {
    const value = valueAt(key);
    return value !== undefined && /^\d{1,16}$/.test(value) ? [[key, numberOf(key, value)] as const] : [];
  });
  return Object.fromEntries(found) as DiskLimits;
}

/** The name of a limit among the properties of a throttle group: `iops-read-max` for `iops-rd-max`. */
export function inGroup(key: LimitKey): string {
  if (key === "iops-size") return key;
  const [kind = "", ...rest] = key.split("-");
  const part = rest[0] === "rd" ? "read" : rest[0] === "wr" ? "write" : "total";
  return [kind, part, ...rest.filter((each) => each !== "rd" && each !== "wr")].join("-");
}
