import { decide } from "../../src/domain/balance/decide.ts";
import { fund } from "../../src/domain/balance/fund.ts";
import { EMPTY, type History, noteTried, remember } from "../../src/domain/balance/history.ts";
import type { Move } from "../../src/domain/balance/move.ts";
import type { GuestObservation, Observation } from "../../src/domain/balance/observation.ts";
import { type BalanceSettings, MIB, usualSettings } from "../../src/domain/balance/settings.ts";
import { World, type WorldGuest, type WorldOptions } from "./memory-world.ts";
import { PROXMOX, proxmoxTargets } from "./proxmox-rule.ts";

/** How a rule did. */
export interface Score {
  /** Seconds times guests with less than their working set, and what was missing, in GiB seconds. */
  readonly belowNeed: number;
  readonly missing: number;
  readonly moves: number;
  /** Moves against the one before of the same guest. */
  readonly turns: number;
  /** Memory that was taken from a guest within a minute after it was given: thrash. */
  readonly thrash: number;
  /** Memory that was given to a guest within a minute after it was taken: it was needed after all. */
  readonly regrets: number;
  /** Seconds in which the host had less than nothing. */
  readonly overcommitted: number;
}

/** A rule at work: called each second. It says where guests are to go. */
type Rule = (world: World) => readonly (readonly [name: string, target: number])[];

export type RuleName = "ours" | "proxmox" | "none";

/** Lets a rule work on a world for a time, in seconds. */
export function trial(name: RuleName, options: WorldOptions, time = 3600): Score {
  const world = new World(options);
  const rule = RULES[name](world);
  const byName = new Map(world.guests.map((guest) => [guest.name, guest]));
  const last = new Map<string, { readonly at: number; readonly up: boolean }>();
  const score = { belowNeed: 0, missing: 0, moves: 0, turns: 0, thrash: 0, regrets: 0, overcommitted: 0 };
  while (world.now < time) {
    world.tick();
    for (const [guest, target] of rule(world)) {
      const it = byName.get(guest) as WorldGuest;
      if (target === it.target) continue;
      const up = target > it.target;
      const before = last.get(guest);
      score.moves += 1;
      if (before !== undefined && before.up !== up) {
        score.turns += 1;
        if (world.now - before.at < 60) score[up ? "regrets" : "thrash"] += 1;
      }
      last.set(guest, { at: world.now, up });
      it.target = target;
    }
    for (const { need, actual } of world.guests) {
      if (need <= actual) continue;
      score.belowNeed += 1;
      score.missing += (need - actual) / 1024;
    }
    if (world.used > world.total) score.overcommitted += 1;
  }
  return { ...score, missing: Math.round(score.missing) };
}

const RULES: Readonly<Record<RuleName, (world: World) => Rule>> = {
  none: () => () => [],
  proxmox: () => (world) => (world.now % PROXMOX.every === 0 ? [...proxmoxTargets(world)] : []),
  ours: (first) => ours(usualSettings(first.total * MIB)),
};

/** In a round, those in need get what others have given back two seconds later, as the real one waits for the balloons. */
const ANSWER = 2;

function ours(settings: BalanceSettings): Rule {
  let history: History = EMPTY;
  let waiting: { readonly grows: readonly Move[]; readonly shrinks: readonly Move[] } | undefined;
  const every = settings.every / 1000;
  return (world) => {
    const now = world.now * 1000;
    const make = (moves: readonly Move[]): readonly (readonly [string, number])[] => {
      const tried = moves.map(({ name, to, kind, needy }) => ({ name, to, kind, needy, failure: null }));
      history = noteTried(history, tried, now, settings);
      return moves.map(({ name, to }) => [name, to / MIB]);
    };
    if (world.now % every === 0) {
      const seen = observe(world);
      history = remember(history, seen, settings);
      const { moves } = decide(seen, history, settings);
      const grows = moves.filter(({ kind }) => kind === "grow");
      waiting = { grows, shrinks: moves.filter(({ kind }) => kind === "shrink") };
      return make(moves.filter(({ kind }) => kind !== "grow"));
    }
    if (waiting === undefined || world.now % every !== ANSWER) return [];
    const has = new Map(world.guests.map(({ name, actual }) => [name, actual * MIB]));
    const given = waiting.shrinks.reduce(
      (sum, { name, from, to }) => sum + Math.max(0, Math.min(from - to, from - (has.get(name) ?? from))),
      0,
    );
    const grows = fund(waiting.grows, given);
    waiting = undefined;
    return make(grows);
  };
}

function observe(world: World): Observation {
  const host = { total: world.total * MIB, available: world.available * MIB, pressure: null, swapIn: null };
  return { now: world.now * 1000, host, guests: world.guests.map(seenAs) };
}

function seenAs({ name, most, min, actual, target, resident, word }: WorldGuest): GuestObservation {
  return {
    ...{ name, state: "running", machine: 1, limits: { min: min * MIB, max: most * MIB }, period: 5 },
    balloon: { actual: Math.round(actual * MIB), target: Math.round(target * MIB), most: most * MIB },
    resident: resident * MIB,
    word: {
      ...{ at: word.at, available: word.available * MIB, swapIn: word.swapIn * MIB, swapOut: 0 },
      ...{ majorFaults: word.faults, oomKills: null },
    },
  };
}
