import { type Budget, budgetOf } from "./budget.ts";
import { growing, type Grown, surplus } from "./grow.ts";
import type { History } from "./history.ts";
import type { Move } from "./move.ts";
import { judge, type Judged, STUCK } from "./need.ts";
import type { Observation } from "./observation.ts";
import { about, type BalanceSettings, timeOf, upToMib } from "./settings.ts";
import { shrinking, worth } from "./shrink.ts";

/** A guest that is not moved, and why. */
export interface Stay {
  readonly name: string;
  readonly why: string;
  /** It can't be balanced at all, as it is now. */
  readonly out: boolean;
  /** It is in need, and there is nothing to give. */
  readonly needy: boolean;
}

/** What is to be done in one round: those that give first. */
export interface Decision {
  readonly moves: readonly Move[];
  readonly stays: readonly Stay[];
  readonly budget: Budget;
}

/**
 * Decides what is moved, and says why, for each guest. `history` has to know what is seen already, by `remember`. Pure: the same is decided
 * each time.
 */
export function decide(seen: Observation, history: History, settings: BalanceSettings): Decision {
  const verdicts = seen.guests.map((guest) => ({ guest, verdict: verdictOn(guest, history, seen.now, settings) }));
  const judged = verdicts.flatMap(({ verdict }) => (typeof verdict === "string" ? [] : [verdict]));
  const budget = budgetOf(seen, settings);
  const stuck = judged.flatMap((each) => givenUp(each, seen.now));
  const others = judged.filter(({ guest }) => !stuck.some(({ name }) => name === guest.name));
  const grown = growing(others, budget.free);
  const left = budget.free - sum(grown.map(({ sure }) => sure));
  const unmet = sum(grown.map(({ wanted, sure }) => wanted - sure));
  const shrinks = shrinking(others, { budget, left, unmet, pressed: history.hostPressed });
  const grows = shareOut(grown, sum(shrinks.map(({ from, to }) => from - to)));
  const extra = unmet > 0 || history.hostPressed || shrinks.length > 0 ? [] : surplus(others, left - budget.high, seen.now, settings);
  const moves = [...stuck, ...shrinks, ...grows, ...extra];
  const moved = new Set(moves.map(({ name }) => name));
  const stays = verdicts
    .filter(({ guest }) => !moved.has(guest.name))
    .map(({ guest, verdict }) =>
      typeof verdict === "string"
        ? { name: guest.name, why: verdict, out: true, needy: false }
        : { name: guest.name, why: staying(verdict, unmet > 0 || left < budget.low), out: false, needy: verdict.need !== null },
    );
  return { moves, stays, budget };
}

function verdictOn(guest: Observation["guests"][number], history: History, now: number, settings: BalanceSettings): Judged | string {
  const known = history.guests.get(guest.name);
  return known === undefined ? "has not been seen before" : judge(guest, known, now, settings);
}

/** A balloon that can't get where it is to go tries on, and costs its guest time: it is told to stay where it has come to. */
function givenUp({ guest: { name }, balloon: { actual, target }, history: { stuck } }: Judged, now: number): readonly Move[] {
  if (target >= actual || stuck === null || now - stuck.since < STUCK) return [];
  const to = upToMib(actual);
  const why = `it has not come below ${about(actual)} for ${timeOf(now - stuck.since)}`;
  return [{ name, kind: "give-up", from: target, to, sure: to, needy: false, why }];
}

/** What those who give will give back is shared by those whose need is not met, by how much each is short of. */
function shareOut(grown: readonly Grown[], comes: number): readonly Move[] {
  const unmet = sum(grown.map(({ wanted, sure }) => wanted - sure));
  return grown.flatMap(({ judged: { guest, balloon, need }, wanted, sure }) => {
    const hoped = unmet === 0 ? 0 : Math.min(wanted - sure, Math.floor((comes * (wanted - sure)) / unmet));
    const to = balloon.target + sure + hoped;
    if (to <= balloon.target) return [];
    const short = sure + hoped < wanted ? `, and there is no more to give of the ${about(wanted)} that it needs` : "";
    const why = `${need?.why ?? ""}${short}`;
    return [{ name: guest.name, kind: "grow" as const, from: balloon.target, to, sure: balloon.target + sure, needy: true, why }];
  });
}

function staying({ need, available, noDonor, uses, balloon, floor, min }: Judged, isWanted: boolean): string {
  if (need !== null) return `${need.why}, and nobody has memory to spare`;
  if (balloon.actual !== balloon.target) return `is on its way from ${about(balloon.actual)} to ${about(balloon.target)}`;
  const well = `is well: its programs can get ${about(available ?? 0)} besides the ${about(uses ?? 0)} in use`;
  if (!isWanted) return well;
  if (noDonor !== null) return `gives nothing: ${noDonor}`;
  if (balloon.target - floor.usual >= worth(balloon.target)) return `${well}, and others give enough`;
  return balloon.target <= min ? `is at its memory.min, ${about(min)}` : `needs what it has, down to ${about(floor.usual)}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}
