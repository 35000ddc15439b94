import { showMoment } from "../ends/show-moment.ts";
import type { GuestHistory } from "./history.ts";
import type { GuestObservation, GuestWord } from "./observation.ts";
import { about, type BalanceSettings, MIB, timeOf, upToMib } from "./settings.ts";

/** How badly a guest needs memory. `least`: it is below its own `memory.min`. `pressed`: it swaps, or kills programs. */
export type Urgency = "least" | "pressed" | "low";

/** What is thought of one guest that can be balanced. Sizes in bytes. */
export interface Judged {
  readonly guest: GuestObservation;
  readonly balloon: NonNullable<GuestObservation["balloon"]>;
  readonly history: GuestHistory;
  readonly min: number;
  readonly max: number;
  /** What it can't do without; null if it has not said it lately: then it is never made smaller. */
  readonly uses: number | null;
  readonly available: number | null;
  /** What it should be able to get besides. */
  readonly comfort: number;
  readonly need: { readonly urgency: Urgency; readonly wanted: number; readonly why: string } | null;
  /** Where it can be taken to without harm: far, if the host is in trouble, and usually less far. */
  readonly floor: { readonly usual: number; readonly hard: number };
  /** Why nothing is taken from it; null if something can be. */
  readonly noDonor: string | null;
}

/** A guest should be able to get a quarter of what it uses besides, a small one something at least, a large one no more than this. */
const COMFORT = { share: 1 / 4, least: 64 * MIB, most: 4096 * MIB };
/** It is low on memory when less than this part of that is left. Between the two nothing happens. */
const LOW = 1 / 2;
/** What a giver keeps of it: more than it takes to be well, so that it does not ask for it at once. */
const KEPT = 3 / 2;
/** A guest reads so much from its swap, in bytes a second, or so many pages from disks, a second: it is pressed. */
const SWAPS = 256 * 1024;
const FAULTS = 200;
/** A guest that was in need is no giver for so many times the rest. */
const AFTER_NEED = 2;
/** A balloon on its way down that has not moved for so long will not. */
export const STUCK = 30_000;

/** See `Judged`. Pure. */
export function judge(guest: GuestObservation, history: GuestHistory, now: number, settings: BalanceSettings): Judged | string {
  const { balloon, limits, state, why, until } = guest;
  if (state !== "running") return state === "unreachable" ? `does not answer${why === undefined ? "" : `: ${why}`}` : `is ${state}`;
  if (limits === null) return "has no config, so nobody says how little memory it may have";
  if (limits.min === null) return "its config has no memory.min, so nobody says how little memory it may have";
  if (balloon === null) return "has no balloon device";
  // Moved, it would not be as that change left it, and nothing would take it back at its end.
  if (until !== undefined) return `has its memory by a change that ends at ${showMoment(until)}, and is left alone until then`;
  const max = Math.min(limits.max, balloon.most);
  const min = Math.min(limits.min, max);
  if (history.pause !== null && now < history.pause.until) return history.pause.why;
  const word = freshWord(guest, history, now, settings);
  const isBelow = balloon.target < min;
  if (typeof word === "string" && !isBelow) return word;
  const uses = typeof word === "string" ? null : history.uses;
  const available = uses === null ? null : Math.max(0, balloon.actual - uses);
  const comfort = comfortOf(uses ?? balloon.actual);
  const judged = { guest, balloon, history, min, max, uses, available, comfort };
  return {
    ...judged,
    need: needOf(judged),
    floor: { usual: floorOf(judged, KEPT), hard: floorOf(judged, 1) },
    noDonor: noDonorOf(judged, now, settings),
  };
}

/** What a guest that uses so much should be able to get besides. */
export function comfortOf(uses: number): number {
  return Math.min(COMFORT.most, Math.max(COMFORT.least, uses * COMFORT.share));
}

type Known = Omit<Judged, "need" | "floor" | "noDonor">;

/**
 * Only a word that was heard to come counts, and only for as long as the next may take: QEMU keeps the last one of a guest that hangs, or
 * that lost its driver, for ever.
 */
function freshWord(guest: GuestObservation, history: GuestHistory, now: number, { every }: BalanceSettings): GuestWord | string {
  const { period, word, why } = guest;
  if (period === 0) return "has no statistics: QEMU does not ask its guest";
  if (word === null) return `has no statistics: ${why ?? "its guest has not said anything yet"}`;
  if (history.heardAt === null) return "its statistics may be of any age: none has come since";
  const age = now - history.heardAt;
  return age > 3 * Math.max(every, (period ?? 1) * 1000) ? `its statistics are ${timeOf(age)} old: its guest says nothing any more` : word;
}

function floorOf({ uses, comfort, min, balloon }: Known, part: number): number {
  return uses === null ? balloon.target : Math.max(min, upToMib(uses + comfort * part));
}

function needOf({ balloon, min, max, uses, available, comfort, history: { rates } }: Known): Judged["need"] {
  const { target, actual } = balloon;
  const wanted = (size: number): number => Math.min(max, upToMib(size));
  if (target < min) return { urgency: "least", wanted: min, why: `it is below its memory.min, ${about(min)}` };
  if (uses === null || available === null || target >= max) return null;
  const signs = [
    ...(rates.oomKills > 0 ? ["its kernel kills programs for want of memory"] : []),
    ...(rates.swapIn >= SWAPS ? [`it reads ${about(rates.swapIn * 10)} from swap in 10 s`] : []),
    ...(rates.majorFaults >= FAULTS && available < 2 * comfort
      ? [`${Math.round(rates.majorFaults)} of its page faults a second read a disk`]
      : []),
  ];
  // What it uses can't show how much more it would use: so a half more at once, and again until it is well.
  if (signs.length > 0) {
    const more = Math.max(comfort, uses / 2);
    return { urgency: "pressed", wanted: Math.max(target, wanted(Math.max(uses, actual - comfort) + more)), why: signs.join(", ") };
  }
  if (available + Math.max(0, target - actual) >= comfort * LOW) return null;
  const hidden = available < comfort / 8 ? uses / 4 : 0;
  const size = wanted(uses + comfort + hidden);
  return size <= target ? null : { urgency: "low", wanted: size, why: `its programs can get only ${about(available)} more` };
}

function noDonorOf(judged: Known, now: number, { rest }: BalanceSettings): string | null {
  const { balloon, uses, history, guest } = judged;
  const { grownAt, needyAt, noDonorUntil, rates, regrets } = history;
  const within = (at: number | null, time: number): boolean => at !== null && now - at < time;
  if (uses === null) return "it does not say what it uses";
  if (guest.kept !== undefined) return `the host would get nothing of it: ${guest.kept}`;
  if (balloon.actual !== balloon.target) return "its balloon is on its way";
  if (rates.swapIn > 0 || rates.swapOut > 0) return "it swaps";
  if (rates.oomKills > 0) return "its kernel kills programs for want of memory";
  if (within(grownAt, rest)) return `it was given memory less than ${timeOf(rest)} ago`;
  if (within(needyAt, AFTER_NEED * rest)) return `it was in need less than ${timeOf(AFTER_NEED * rest)} ago`;
  if (now < noDonorUntil)
    return regrets > 0
      ? `it needed memory soon after it had given some back, and rests for ${timeOf(noDonorUntil - now)} more`
      : `it could not give back what it was asked for, and rests for ${timeOf(noDonorUntil - now)} more`;
  return null;
}
