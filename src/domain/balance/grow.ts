import type { Move } from "./move.ts";
import type { Judged, Urgency } from "./need.ts";
import { about, type BalanceSettings, downToMib, MIB } from "./settings.ts";

/** A guest in need: how much more it should have, and how much of that there is. */
export interface Grown {
  readonly judged: Judged;
  readonly wanted: number;
  readonly sure: number;
}

/** Who comes first. */
const ORDER: readonly Urgency[] = ["least", "pressed", "low"];

/**
 * Those in need, with what they get of `free`. The worst are served first; of those alike each gets the same part of what it is short of.
 * All is given at once: a guest that swaps must not wait for the next round.
 */
export function growing(judged: readonly Judged[], free: number): readonly Grown[] {
  let left = Math.max(0, free);
  return ORDER.flatMap((urgency) => {
    const needy = judged.filter(({ need, balloon }) => need?.urgency === urgency && need.wanted > balloon.target);
    const wants = needy.map((each) => ({ judged: each, wanted: (each.need?.wanted ?? 0) - each.balloon.target }));
    const all = wants.reduce((sum, { wanted }) => sum + wanted, 0);
    const part = all <= left ? 1 : left / all;
    const grown = wants.map(({ judged: each, wanted }) => ({
      judged: each,
      wanted,
      sure: part === 1 ? wanted : downToMib(wanted * part),
    }));
    left -= grown.reduce((sum, { sure }) => sum + sure, 0);
    return grown;
  });
}

/** Less than this, or this part of a guest, is not worth a move to one that is well. */
const WORTH = { least: 64 * MIB, share: 1 / 8 };

/**
 * What nobody needs is given to those that could use it for caches, by what each uses: it is taken back as soon as somebody is in need.
 * Not to one that has just given: that would be a game.
 */
export function surplus(judged: readonly Judged[], spare: number, now: number, { rest }: BalanceSettings): readonly Move[] {
  if (spare <= 0) return [];
  const takers = judged.filter((each) => mayTake(each, now, rest));
  const used = takers.reduce((sum, { uses }) => sum + (uses ?? 0), 0);
  return takers.flatMap(({ guest: { name }, balloon: { target }, max, uses }) => {
    const part = downToMib((spare * (uses ?? 0)) / Math.max(1, used));
    const to = Math.min(max, target + part);
    if (to - target < Math.min(Math.max(WORTH.least, target * WORTH.share), Math.max(MIB, max - target))) return [];
    return [
      { name, kind: "grow" as const, from: target, to, sure: to, needy: false, why: `nobody needs it, ${about(spare)} are to spare` },
    ];
  });
}

function mayTake({ need, uses, balloon, max, history: { shrunkAt, noDonorUntil } }: Judged, now: number, rest: number): boolean {
  const rests = (shrunkAt !== null && now - shrunkAt < rest) || now < noDonorUntil;
  return need === null && uses !== null && balloon.target < max && balloon.actual === balloon.target && !rests;
}
