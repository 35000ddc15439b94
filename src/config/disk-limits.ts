import { messageOf, UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { escapeCommas, parseKeyValues } from "./options.ts";
import { isSize, parseSize } from "./size.ts";

/** What can be limited: operations a second, bytes a second; all of them, or only reads or writes. */
const RATES = ["iops", "iops-rd", "iops-wr", "bps", "bps-rd", "bps-wr"] as const;

type Rate = (typeof RATES)[number];

/** The name of one limit: a rate, how far a burst may exceed it, and how many seconds a burst may take. */
export type LimitKey = Rate | `${Rate}-max` | `${Rate}-max-length` | "iops-size";

/** Every limit of a disk, in the order in which they are written. */
export const LIMIT_KEYS: readonly LimitKey[] = [
  ...RATES.flatMap((rate) => [rate, `${rate}-max`, `${rate}-max-length`] as const),
  "iops-size",
];

/**
 * The limits of a disk: operations and bytes a second, lengths in seconds. `group`: the name of what several disks share the limits of.
 */
export type DiskLimits = { readonly [K in LimitKey]?: number | undefined } & { readonly group?: string | undefined };

/** The limits of a disk as a config has them: bytes a second are a number, or a size with its unit. */
export type LimitsText = { readonly [K in LimitKey]?: number | string | undefined } & { readonly group?: string | undefined };

/** What stands for a disk without limits. */
export const NO_LIMITS = "none";

/** The most that QEMU takes, in operations or bytes a second. */
const MOST = 1e15;

/** Limits in one text, always in the same order, as `iops=100,bps=1048576,group=slow`; `none` where there are none. */
export function formatLimits(limits: DiskLimits): string {
  const values = LIMIT_KEYS.flatMap((key) => (isGiven(key, limits[key]) ? [`${key}=${limits[key]}`] : []));
  if (values.length === 0) return NO_LIMITS;
  return [...values, ...(limits.group === undefined ? [] : [`group=${escapeCommas(limits.group)}`])].join(",");
}

/** A limit of 0 is none, and a burst of one second is what QEMU assumes. */
function isGiven(key: LimitKey, value: number | undefined): value is number {
  return value !== undefined && value !== (key.endsWith("-length") ? 1 : 0);
}

/** The limits without those that say nothing. */
export function limitsGiven(limits: DiskLimits): DiskLimits {
  return parseLimits(formatLimits(limits));
}

/**
 * Reads limits from one text, as `iops=100,bps=10M`. Bytes a second are a number, or a size with its unit.
 *
 * @throws UsageError when a key or a value can't be read
 */
export function parseLimits(text: string): DiskLimits {
  if (text === NO_LIMITS) return {};
  const known: readonly string[] = [...LIMIT_KEYS, "group"];
  const entries = [...parseKeyValues(text, "")].map(([key, value]): readonly [string, number | string] => {
    if (!known.includes(key)) throw refusal(text, `${JSON.stringify(key.slice(0, 40))} is no limit${guess(key, known)}`);
    return [key, key === "group" ? value : numberOf(key as LimitKey, value)];
  });
  return Object.fromEntries(entries) as DiskLimits;
}

function guess(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined ? "" : `, did you mean ${meant}?`;
}

/** The value of one limit. @throws UsageError when it can't be read */
export function numberOf(key: LimitKey, value: number | string): number {
  const number =
    typeof value === "number" || /^\d{1,16}$/.test(value) ? Number(value) : key.startsWith("bps") && isSize(value) ? parseSize(value) : -1;
  if (Number.isSafeInteger(number) && number >= 0) return number;
  const expected = key.startsWith("bps")
    ? "bytes a second, as 1048576 or 1M"
    : key.endsWith("length")
      ? "a number of seconds"
      : "a whole number";
  throw new UsageError(`${key} ${JSON.stringify(String(value).slice(0, 40))}: expected ${expected}`, { value, expected });
}

/** The limits of a config, as numbers. @throws UsageError when a value can't be read */
export function limitsOf({ group, ...values }: LimitsText): DiskLimits {
  const numbers = LIMIT_KEYS.flatMap((key) => (values[key] === undefined ? [] : [[key, numberOf(key, values[key])] as const]));
  return { ...(Object.fromEntries(numbers) as DiskLimits), ...(group === undefined ? {} : { group }) };
}

/** Why QEMU would take no such limits on any disk; null where it would. */
export function limitsFault(limits: DiskLimits): string | null {
  const at = (key: LimitKey): number => limits[key] ?? 0;
  const { group } = limits;
  for (const kind of ["iops", "bps"] as const)
    if (at(kind) > 0 && at(`${kind}-rd`) + at(`${kind}-wr`) > 0)
      return `${kind} is for reads and writes together: give it alone, or ${kind}-rd and ${kind}-wr`;
  for (const rate of RATES) {
    const [max, length] = [at(`${rate}-max`), limits[`${rate}-max-length`]];
    if (at(rate) > MOST || max > MOST) return `${rate}: more than QEMU's ${MOST}`;
    if (max > 0 && at(rate) === 0) return `${rate}-max is for bursts above ${rate}, which is not given`;
    if (max > 0 && max < at(rate)) return `${rate}-max is for bursts, so it can't be lower than ${rate}`;
    if (length === 0) return `${rate}-max-length is a number of seconds from 1`;
    if (length !== undefined && length > 1 && max === 0) return `${rate}-max-length is how long a burst may take: it needs a ${rate}-max`;
    if (max > 0 && (length ?? 1) * max > MOST) return `${rate}-max-length: too long for bursts of ${max}`;
  }
  if (at("iops-size") > 0 && at("iops") + at("iops-rd") + at("iops-wr") === 0)
    return "iops-size says what counts as one operation: it needs an iops limit";
  if (group === undefined) return null;
  if (group === "" || group.startsWith("/")) return `group ${JSON.stringify(group.slice(0, 40))}: a name, and not QEMU's own of one disk`;
  return /[\x00-\x1f\x7f-\x9f]/.test(group) ? "a group's name is plain text" : null;
}

function refusal(text: string, why: string): UsageError {
  return new UsageError(`limits ${JSON.stringify(text.slice(0, 60))}: ${why}`, {
    value: text,
    expected: `limits, as iops=100,bps=1048576, or ${NO_LIMITS}; there are ${LIMIT_KEYS.join(", ")} and group`,
  });
}

/** Whether a value of a config is limits that QEMU would take. */
export function isLimits(value: unknown): value is LimitsText {
  return problemIn(value) === null;
}

/** What would be right in place of a value of a config that is no limits. */
export function limitsExpected(value: unknown): string {
  return `limits, as { "iops": 100, "bps": "10MiB" }: ${problemIn(value) ?? "they are right"}`;
}

function problemIn(value: unknown): string | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "an object";
  const known: readonly string[] = [...LIMIT_KEYS, "group"];
  const strange = Object.keys(value).find((key) => !known.includes(key));
  if (strange !== undefined) return `${JSON.stringify(strange.slice(0, 40))} is no limit${guess(strange, known)}`;
  const { group } = value as LimitsText;
  if (group !== undefined && typeof group !== "string") return "group is a text";
  try {
    return limitsFault(limitsOf(value as LimitsText));
  } catch (error) {
    return messageOf(error);
  }
}
