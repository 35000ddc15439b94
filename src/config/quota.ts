import { UsageError } from "../errors.ts";

/** How much CPU time a quota gives: in percent of one CPU, with two decimals at most; null is no limit. */
export type Percent = number | null;

/** What is written for no limit. */
export const NO_QUOTA = "none";

/** The kernel's least is a millisecond in each tenth of a second; nobody has more than ten thousand CPUs. */
const LEAST = 1;
const MOST = 1_000_000;

/** What a quota looks like, for messages. */
export const QUOTA_EXPECTED = 'a share of one CPU from 1% up, as 150% for one and a half CPUs, or "none"';

/** What a quota looks like, for a JSON Schema. */
export const QUOTA_PATTERN = "^none$|^[0-9]{1,7}(\\.[0-9]{1,2})?%$";

/** Whether a text is a quota. */
export function isQuota(text: string): boolean {
  return text === NO_QUOTA || percentIn(text) !== undefined;
}

/** Reads a quota: `150%`, `12.5%`, `none`. @throws UsageError for what is none */
export function parseQuota(text: string): Percent {
  if (text === NO_QUOTA) return null;
  const percent = percentIn(text);
  if (percent !== undefined) return percent;
  const bare = /^\d+(\.\d+)?$/.test(text) ? `; it has two meanings without a unit: ${text}% of one CPU, or ${text} microseconds` : "";
  throw new UsageError(`quota ${JSON.stringify(text)}: not a quota${bare}`, { value: text, expected: QUOTA_EXPECTED });
}

function percentIn(text: string): number | undefined {
  const percent = Number(/^(\d{1,7}(?:\.\d{1,2})?)%$/.exec(text)?.[1] ?? Number.NaN);
  return percent >= LEAST && percent <= MOST ? percent : undefined;
}

/** A quota in its shortest form: `150%`, `12.5%`, `none`. */
export function formatQuota(percent: Percent): string {
  return percent === null ? NO_QUOTA : `${Math.round(percent * 100) / 100}%`;
}

/** The weight of a group that was given none. */
export const USUAL_WEIGHT = 100;
/** The most that a group can weigh. */
export const MOST_WEIGHT = 10_000;

/** What a weight looks like, for messages. */
export const WEIGHT_EXPECTED: string = `a whole number from 1 to ${MOST_WEIGHT}; ${USUAL_WEIGHT} is usual`;

/** Checks a weight. @throws UsageError for what is none */
export function checkWeight(weight: number): void {
  if (Number.isSafeInteger(weight) && weight >= 1 && weight <= MOST_WEIGHT) return;
  throw new UsageError(`weight ${weight}: not a weight`, { value: weight, expected: WEIGHT_EXPECTED });
}
