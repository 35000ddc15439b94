import { UsageError } from "../errors.ts";
import type { Topology } from "./launch.ts";
import { formatSize } from "./size.ts";
import { LEVELS } from "./topology.ts";

/** What `-m` says, with sizes as a config has them. */
export interface MemoryText {
  readonly max: string;
  readonly current: string;
  readonly hotplug?: { readonly slots: number; readonly limit: string };
}

/** What a board has if the command line does not say: bytes of RAM, and vCPUs. */
export interface BoardDefaults {
  readonly memory: number;
  readonly vcpus: number;
}

const MIB = 1024 ** 2;
/** QEMU rounds the RAM up to whole pages of 8 KiB, on every board (measured, 5.2 to 11.1). */
const RAM_UNIT = 8192;

/**
 * The RAM that `-m` gives at start, in bytes; undefined if it does not say (no `size`, or 0), which leaves it to the board.
 *
 * @throws UsageError when the size can't be read
 */
export function ramOf(values: ReadonlyMap<string, string>): number | undefined {
  const size = readSize("-m size", values.get("size") ?? "0", MIB);
  return size === 0 ? undefined : Math.ceil(size / RAM_UNIT) * RAM_UNIT;
}

/**
 * Reads the values of `-m` for a machine with `max` bytes of RAM. A bare `size` is in MiB and a bare `maxmem` in bytes, as in QEMU
 * (measured, 5.2 to 11.1).
 *
 * @throws UsageError when a value can't be read, or they do not fit together
 */
export function readMemory(values: ReadonlyMap<string, string>, max: number): MemoryText {
  const limit = readSize("-m maxmem", values.get("maxmem") ?? "0", 1);
  const slots = readCount("-m slots", values.get("slots") ?? "0");
  if (limit === 0 && slots > 0) throw refusal("-m slots", String(slots), "a maxmem beside it, as QEMU wants");
  if (limit !== 0 && limit < max) throw refusal("-m maxmem", values.get("maxmem") ?? "", `at least the size, ${formatSize(max)}`);
  const size = formatSize(max);
  return { max: size, current: size, ...(limit > max ? { hotplug: { slots, limit: formatSize(limit) } } : {}) };
}

/**
 * How many vCPUs `-smp` gives, and has room for; undefined if it does not say, which leaves it to the board.
 *
 * @throws UsageError when a number can't be read
 */
export function countsOf(values: ReadonlyMap<string, string>): { readonly max: number; readonly current: number } | undefined {
  const cpus = countAt(values, "cpus");
  const product = LEVELS.reduce((so_far, level) => so_far * (countAt(values, level) || 1), 1);
  const isGiven = LEVELS.some((level) => countAt(values, level) > 0);
  const max = countAt(values, "maxcpus") || cpus || (isGiven ? product : 0);
  return max === 0 ? undefined : { max, current: cpus || max };
}

/** The levels of a topology that `-smp` names. The others stay open: machine types complete them in different ways. */
export function readTopology(values: ReadonlyMap<string, string>): Topology | undefined {
  const given = LEVELS.filter((level) => countAt(values, level) > 0).map((level) => [level, countAt(values, level)]);
  return given.length === 0 ? undefined : (Object.fromEntries(given) as Topology);
}

function countAt(values: ReadonlyMap<string, string>, key: string): number {
  return readCount(`-smp ${key}`, values.get(key) ?? "0");
}

/**
 * A size as QEMU reads it: decimal, with a fraction if a unit follows, or hexadecimal. `bareUnit` applies if it ends in a digit and has no
 * unit. Units are binary; after a hexadecimal number, b and e are digits and not units.
 *
 * @throws UsageError when the text is anything else
 */
export function readSize(option: string, text: string, bareUnit: number): number {
  const [, hex, decimal, unit] = /^ *\+?(?:0x([0-9a-f]{1,13})|(\d{1,15}\.?\d{0,15}|\.\d{1,15}))([bkmgtpe])?$/i.exec(text) ?? [];
  const isWhole = hex !== undefined || /^\d+\.?$/.test(decimal ?? ".");
  const isBytes = unit === undefined || /b/i.test(unit);
  if ((hex ?? decimal) === undefined || (!isWhole && isBytes)) throw refusal(option, text, "a size as QEMU takes it, as 512M or 2G");
  const number = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
  const bytes = Math.round(number * (unit !== undefined ? 1024 ** "bkmgtpe".indexOf(unit.toLowerCase()) : /\d$/.test(text) ? bareUnit : 1));
  if (bytes > Number.MAX_SAFE_INTEGER) throw refusal(option, text, "a size that a machine can have");
  return bytes;
}

/** A number as QEMU reads it: decimal, hexadecimal, or octal if it begins with 0. */
function readCount(option: string, text: string): number {
  const [, hex, octal, decimal] = /^ *\+?(?:0x([0-9a-f]{1,5})|0([0-7]{1,6})|(0|[1-9]\d{0,5}))$/i.exec(text) ?? [];
  if ((hex ?? octal ?? decimal) === undefined) throw refusal(option, text, "a whole number");
  return hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : Number(decimal);
}

function refusal(option: string, text: string, expected: string): UsageError {
  return new UsageError(`${option}: ${JSON.stringify(text.slice(0, 60))} can't be read, expected ${expected}`, { value: text, expected });
}
