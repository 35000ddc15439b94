/**
 * The candidate that was probably meant: the one that begins with what was typed, else the one with the fewest slips (a letter too many,
 * too few, wrong, or two swapped). `undefined` when none is near enough for a guess.
 */
export function nearest(typed: string, candidates: readonly string[]): string | undefined {
  const word = typed.toLowerCase();
  if (word === "") return undefined;
  const longer = candidates.filter((candidate) => candidate.startsWith(word));
  if (longer.length === 1 && word.length > 1) return longer[0];
  const bound = Math.max(1, Math.floor(word.length / 3));
  const ranked = candidates
    // Others have more slips than allowed. This bounds the work, since a name from outside may have any length.
    .filter((candidate) => Math.abs(candidate.length - word.length) <= bound)
    .map((candidate) => ({ candidate, slips: distance(word, candidate) }))
    .filter(({ slips, candidate }) => slips <= bound && slips < candidate.length)
    .sort((a, b) => a.slips - b.slips);
  return ranked[0]?.candidate;
}

/** Optimal string alignment distance: edits, and swaps of neighbours; no part is edited twice. */
export function distance(a: string, b: string): number {
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (older[j - 2] ?? 0) + 1);
      row.push(best);
    }
    older = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
