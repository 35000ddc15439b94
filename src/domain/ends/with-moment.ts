import type { EndWish } from "./moment.ts";

/**
 * Options with a moment instead of a time of day: that is the next one from now on, however long the lock is waited for.
 *
 * @throws UsageError for an end that can't be one
 */
export async function withMoment<Wish extends EndWish>(wish: Wish): Promise<Wish> {
  if (wish.for === undefined && wish.until === undefined) return wish;
  return (await import("./moment.ts")).fixed(wish, Date.now());
}
