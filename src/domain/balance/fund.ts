import type { Move } from "./move.ts";
import { downToMib } from "./settings.ts";

/**
 * The moves to those in need, as far as there is memory for them: what was free, and `given`, what others have really given back meanwhile.
 * One that waits for more gets it in a later round. Pure.
 */
export function fund(grows: readonly Move[], given: number): readonly Move[] {
  const hoped = grows.reduce((sum, { to, sure }) => sum + to - sure, 0);
  if (given >= hoped) return grows;
  return grows.flatMap((move) => {
    const more = downToMib((Math.max(0, given) * (move.to - move.sure)) / Math.max(1, hoped));
    const to = Math.min(move.to, move.sure + more);
    return to > move.from ? [{ ...move, to }] : [];
  });
}
