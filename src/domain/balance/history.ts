import type { GuestObservation, GuestWord, Observation } from "./observation.ts";
import { type BalanceSettings, MIB, timeOf } from "./settings.ts";

/** What is remembered of the rounds before. Times by the same clock as `Observation.now`. */
export interface History {
  readonly guests: ReadonlyMap<string, GuestHistory>;
  /** The host was short of memory at the last look: it has to be clearly better before it counts as well again. */
  readonly hostPressed: boolean;
}

/** What is remembered of one guest. */
export interface GuestHistory {
  readonly machine: number | null;
  readonly word: GuestWord | null;
  /** When that word was first heard; null if nobody has heard it come: it may be of any age. */
  readonly heardAt: number | null;
  /** What it can't do without, in bytes, by that word; null until one was heard to come. */
  readonly uses: number | null;
  /** What the balloon left it when we last looked. */
  readonly actual: number | null;
  /** Bytes and counts a second, between its last two words. */
  readonly rates: Rates;
  /** Where the balloon was to go when we last looked, or sent it there. Another target is somebody else's doing. */
  readonly target: number | null;
  readonly grownAt: number | null;
  readonly shrunkAt: number | null;
  /** When it last was in need. */
  readonly needyAt: number | null;
  /** How often it needed memory soon after it had given some back: each time it is left alone for longer. */
  readonly regrets: number;
  readonly noDonorUntil: number;
  /** Until when nothing at all is done, and why. */
  readonly pause: { readonly until: number; readonly why: string; readonly failures: number } | null;
  /** Since when a balloon that is on its way has not moved. */
  readonly stuck: { readonly at: number; readonly since: number } | null;
}

interface Rates {
  readonly swapIn: number;
  readonly swapOut: number;
  readonly majorFaults: number;
  readonly oomKills: number;
}

const STILL: Rates = { swapIn: 0, swapOut: 0, majorFaults: 0, oomKills: 0 };

/** Nothing is known yet. */
export const EMPTY: History = { guests: new Map(), hostPressed: false };

/** Programs wait for memory more than this share of the time, in percent: the host is pressed. Any other figure above 0 is usual. */
const PRESSED = { some: 10, full: 5 };
const WELL = { some: 1, full: 0.5 };
/** A host that reads so much from swap, in bytes a second, is pressed too. */
const HOST_SWAPS = MIB;

/** Adds what is seen now. Who is not seen any more is forgotten. Pure. */
export function remember(history: History, seen: Observation, settings: BalanceSettings): History {
  const { pressure, swapIn } = seen.host;
  const { some, full } = history.hostPressed ? WELL : PRESSED;
  const waits = pressure !== null && (pressure.some >= some || pressure.full >= full);
  return {
    hostPressed: waits || (swapIn !== null && swapIn >= HOST_SWAPS),
    guests: new Map(seen.guests.map((guest) => [guest.name, rememberGuest(history.guests.get(guest.name), guest, seen.now, settings)])),
  };
}

function rememberGuest(before: GuestHistory | undefined, guest: GuestObservation, now: number, settings: BalanceSettings): GuestHistory {
  const target = guest.balloon?.target ?? null;
  if (before === undefined || (guest.machine !== null && before.machine !== null && guest.machine !== before.machine))
    return { ...newcomer(guest), target, stuck: stuckOf(null, guest, now) };
  const isNew = guest.word !== null && !isSame(guest.word, before.word);
  const moved = target !== null && before.target !== null && target !== before.target;
  return {
    ...before,
    machine: guest.machine ?? before.machine,
    ...(isNew ? { word: guest.word, heardAt: now, rates: ratesOf(before.word, guest.word), uses: usesOf(before, guest, guest.word) } : {}),
    actual: guest.balloon?.actual ?? null,
    target: target ?? before.target,
    stuck: stuckOf(before.stuck, guest, now),
    ...(moved
      ? {
          pause: {
            until: now + settings.handsOff,
            why: `somebody else has moved its memory, so it is left alone for ${timeOf(settings.handsOff)}`,
            failures: 0,
          },
        }
      : {}),
  };
}

function newcomer({ machine, word, balloon }: GuestObservation): GuestHistory {
  return {
    ...{ machine, word, heardAt: null, uses: null, actual: balloon?.actual ?? null, rates: STILL, target: null },
    ...{ grownAt: null, shrunkAt: null, needyAt: null, regrets: 0, noDonorUntil: 0, pause: null, stuck: null },
  };
}

function isSame(one: GuestWord, other: GuestWord | null): boolean {
  return other !== null && (Object.keys(one) as (keyof GuestWord)[]).every((key) => one[key] === other[key]);
}

/**
 * What a guest uses is what the balloon left it when it spoke, less what it said is available; and that stays so while the balloon moves.
 * If the balloon moved between our looks, nobody knows where it was when the guest spoke: then what was known before is kept, as far as it
 * can still be so.
 */
function usesOf({ actual, uses }: GuestHistory, { balloon }: GuestObservation, { available }: GuestWord): number {
  const [one, other] = [actual ?? balloon?.actual ?? 0, balloon?.actual ?? 0];
  const least = Math.max(0, Math.min(one, other) - available);
  const most = Math.max(0, Math.max(one, other) - available);
  return Math.min(most, Math.max(least, uses ?? most));
}

/** A guest that has rebooted counts from 0 again: then nothing is known of its rates. */
function ratesOf(before: GuestWord | null, word: GuestWord): Rates {
  const time = before === null ? 0 : Math.max(1, word.at - before.at);
  const rate = (key: keyof Rates): number => {
    const [had, has] = [before?.[key] ?? null, word[key]];
    return had === null || has === null || has < had ? 0 : (has - had) / time;
  };
  return { swapIn: rate("swapIn"), swapOut: rate("swapOut"), majorFaults: rate("majorFaults"), oomKills: rate("oomKills") };
}

/** Less than this is no progress of a balloon. */
const PROGRESS = MIB;

function stuckOf(stuck: GuestHistory["stuck"], { balloon }: GuestObservation, now: number): GuestHistory["stuck"] {
  if (balloon === null || balloon.actual === balloon.target) return null;
  return stuck !== null && Math.abs(stuck.at - balloon.actual) < PROGRESS ? stuck : { at: balloon.actual, since: now };
}

/** What became of a move that was tried. */
export interface Tried {
  readonly name: string;
  readonly to: number;
  readonly kind: "grow" | "shrink" | "give-up";
  /** The guest was in need. */
  readonly needy: boolean;
  /** Why it failed; null if it was made, or is on its way. */
  readonly failure: string | null;
}

/** The longest that a guest is left alone after failures or regrets, in milliseconds. */
const LONGEST_PAUSE = 1_800_000;

/** Adds what was tried. Pure. */
export function noteTried(history: History, tried: readonly Tried[], now: number, settings: BalanceSettings): History {
  const guests = new Map(history.guests);
  for (const each of tried) {
    const before = guests.get(each.name);
    if (before !== undefined) guests.set(each.name, triedOf(before, each, now, settings));
  }
  return { ...history, guests };
}

function triedOf(before: GuestHistory, { to, kind, needy, failure }: Tried, now: number, { rest, every }: BalanceSettings): GuestHistory {
  if (failure !== null) {
    const failures = (before.pause?.failures ?? 0) + 1;
    const until = now + Math.min(LONGEST_PAUSE, 4 * every * 2 ** Math.min(failures, 20));
    // Where it was left is not known: what is seen next counts.
    return { ...before, target: null, pause: { until, why: `the last try failed (${failure})`, failures } };
  }
  const done = { ...before, target: to, pause: null, stuck: null, ...(needy ? { needyAt: now } : {}) };
  if (kind === "shrink") return { ...done, shrunkAt: now };
  if (kind === "give-up") return { ...done, noDonorUntil: now + 10 * rest };
  const isRegret = needy && before.shrunkAt !== null && now - before.shrunkAt < rest && (before.grownAt ?? 0) < before.shrunkAt;
  const regrets = isRegret ? before.regrets + 1 : before.regrets;
  return {
    ...done,
    grownAt: now,
    regrets,
    noDonorUntil: isRegret ? now + Math.min(LONGEST_PAUSE, rest * 2 ** Math.min(regrets, 10)) : before.noDonorUntil,
  };
}
