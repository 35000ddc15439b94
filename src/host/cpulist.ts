import { UsageError } from "../errors.ts";

/** A set of host CPU numbers. */
export type CpuSet = ReadonlySet<number>;

/**
 * One above the highest CPU number that is accepted: the most CPUs that Linux can be built for. It limits the work that a list can cause.
 */
export const CPU_LIMIT = 8192;

/** The longest text, in characters: longer than any list of 8192 CPUs. */
const TEXT_LIMIT = 64 * 1024;
const ITEM = /^(\^?)(\d+)(?:-(\d+))?$/;

/**
 * Reads a Linux CPU list as `taskset -c` and `/sys` write it (`0-3,8`), with virsh's exclusions (`0-7,^2`). An exclusion applies wherever
 * it stands.
 *
 * @throws UsageError when the text is anything else, the set is empty, or a number is 8192 or above
 */
export function parseCpuList(text: string): CpuSet {
  if (text.length > TEXT_LIMIT) throw refusal(text, "too long");
  const wanted = new Set<number>();
  const excluded = new Set<number>();
  for (const item of text.trim().split(",")) {
    const [first, last, isExclusion] = readItem(item, text);
    const target = isExclusion ? excluded : wanted;
    for (let cpu = first; cpu <= last; cpu++) target.add(cpu);
  }
  const set = new Set([...wanted].filter((cpu) => !excluded.has(cpu)).sort((a, b) => a - b));
  if (set.size === 0) throw refusal(text, "no CPU is left in it");
  return set;
}

function readItem(item: string, text: string): [first: number, last: number, isExclusion: boolean] {
  const match = ITEM.exec(item);
  if (match === null)
    throw refusal(text, item === "" ? "an item is empty" : `${JSON.stringify(shorten(item))} is neither a number nor a range`);
  const first = Number(match[2]);
  const last = match[3] === undefined ? first : Number(match[3]);
  if (last < first) throw refusal(text, `the range ${shorten(item)} runs backwards`);
  if (last >= CPU_LIMIT) throw refusal(text, `CPU ${shorten(match[3] ?? match[2] ?? "")} is above ${CPU_LIMIT - 1}`);
  return [first, last, match[1] === "^"];
}

function refusal(text: string, why: string): UsageError {
  return new UsageError(`CPU list ${JSON.stringify(shorten(text))}: ${why}`, {
    value: text,
    expected: "CPU numbers and ranges, as 0-3,8 or 0-7,^2",
  });
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Writes a set in the shortest way, ascending: `0-3,8`. An empty set becomes an empty text. */
export function formatCpuList(set: CpuSet): string {
  const ranges: [number, number][] = [];
  for (const cpu of [...set].sort((a, b) => a - b)) {
    const open = ranges.at(-1);
    if (open !== undefined && cpu === open[1] + 1) open[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
