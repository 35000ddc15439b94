/** One line of the table. */
export interface Row {
  readonly work: string;
  readonly ours: string;
  /** What it is held against, measured in the same run. */
  readonly against: string;
  readonly ratio: string;
  readonly goal: string;
  readonly reached: boolean;
}

/** Medians of both sides, and the median of the ratios of each round. */
export interface Comparison {
  readonly ours: number;
  readonly against: number;
  readonly ratio: number;
}

/**
 * Measures two things in turns, so that whatever else the machine does meanwhile meets both. The first round warms up and does not count.
 * The ratio is taken within each round.
 */
export async function compare(rounds: number, ours: () => Promise<number>, against: () => Promise<number>): Promise<Comparison> {
  const results: Comparison[] = [];
  for (let round = 0; round <= rounds; round++) {
    const [first, second] = round % 2 === 0 ? [ours, against] : [against, ours];
    const [one, other] = [await first(), await second()];
    const pair = round % 2 === 0 ? { ours: one, against: other } : { ours: other, against: one };
    results.push({ ...pair, ratio: pair.ours / pair.against });
  }
  const counted = results.slice(1);
  return {
    ours: median(counted.map((it) => it.ours)),
    against: median(counted.map((it) => it.against)),
    ratio: median(counted.map((it) => it.ratio)),
  };
}

/** Milliseconds that the work took. */
export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function perSecond(value: number): string {
  return `${Math.round(value).toLocaleString("en-GB")}/s`;
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

/** A ratio as it is told: two places. */
export function times(value: number): string {
  return value.toFixed(2);
}
