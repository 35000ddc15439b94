import type { GuestObservation, Observation } from "./observation.ts";
import type { BalanceSettings } from "./settings.ts";

/** What can be given away now, in bytes. */
export interface Budget {
  /** What is left when each guest uses all that it may; below 0 if more was promised than there is. */
  readonly free: number;
  /** Below `low` of free memory some is taken from those that can spare it; above `high` what is more is given away. */
  readonly low: number;
  readonly high: number;
  /** The host has less than it keeps for itself, now and not only by what was promised. */
  readonly trouble: boolean;
}

/** What is kept free to serve the next need at once, as parts of all that there is. */
const FLOAT = { low: 1 / 24, high: 1 / 8 };

/**
 * Memory that a guest has and never touched is no memory of the host yet, and may be at any moment: so it counts as used. A balloon on its
 * way down counts with what it still leaves. Pure.
 */
export function budgetOf(seen: Observation, { keepFree, atMost }: BalanceSettings): Budget {
  const { total, available } = seen.host;
  const promised = seen.guests.reduce((sum, guest) => sum + promisedTo(guest), 0);
  const ofHost = available - keepFree - promised;
  const held = seen.guests.reduce((sum, guest) => sum + heldBy(guest), 0);
  const ofPool = atMost === undefined ? Infinity : atMost - held;
  const base = Math.min(total - keepFree, atMost ?? Infinity);
  return { free: Math.min(ofHost, ofPool), low: base * FLOAT.low, high: base * FLOAT.high, trouble: available < keepFree };
}

/** What a guest may still take of the host. */
function promisedTo(guest: GuestObservation): number {
  return Math.max(0, heldBy(guest) - (guest.resident ?? 0));
}

/** What a guest has, whether it is balanced or left alone. */
function heldBy({ state, balloon, limits }: GuestObservation): number {
  if (state === "stopped") return 0;
  return balloon === null ? (limits?.max ?? 0) : Math.max(balloon.actual, balloon.target);
}
