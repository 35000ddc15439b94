import type { Balanced } from "./balanced.ts";
import type { BalanceOptions, BalanceRound } from "./shapes.ts";

/**
 * Moves memory to the domains that need it, between `memory.min` and `memory.max` of their configs, round by round until the signal aborts.
 * Each move is an ordinary change of the live half. There is one such balance of a user on a host at a time. `domains` may be a function
 * that finds them anew for each round.
 *
 * @throws LockedError when there is one already; UsageError for settings that can't be; HostError when the host does not tell its memory
 */
export async function* balance(
  domains: readonly Balanced[] | (() => Promise<readonly Balanced[]>),
  options: BalanceOptions = {},
): AsyncGenerator<BalanceRound, void, undefined> {
  // Loaded when it is called: a program that only talks to a monitor needs nothing of it.
  const { roundsOf } = await import("./rounds.ts");
  yield* roundsOf(domains, options);
}
