import type { Budget } from "./budget.ts";
import type { Move } from "./move.ts";
import type { Judged } from "./need.ts";
import { about, MIB, upToMib } from "./settings.ts";

/**
 * The most that is taken from one guest at once, as a part of its machine, and something at least: what it frees it may have to look for.
 */
const STEP = { share: 1 / 16, least: 64 * MIB };
/** Less than this is not worth a move. */
const WORTH = { share: 1 / 32, least: 16 * MIB };
/** How much more is taken at once for a guest that suffers already, or a host that does. */
const HURRY = 2;

/** Why memory is taken. */
export interface Demand {
  readonly budget: Budget;
  /** What is free when those in need have got what there is. */
  readonly left: number;
  /** What they are short of still. */
  readonly unmet: number;
  /** The host's programs wait for memory, or it swaps. */
  readonly pressed: boolean;
}

/** Takes from those that have most to spare for what they use, step by step, until the demand is met. */
export function shrinking(judged: readonly Judged[], demand: Demand): readonly Move[] {
  const { budget, left, unmet, pressed } = demand;
  const coming = judged.reduce((sum, { balloon }) => sum + Math.max(0, balloon.actual - balloon.target), 0);
  const isShort = left < budget.low;
  const enough = pressed ? budget.high : isShort ? (budget.low + budget.high) / 2 : left;
  const refill = Math.max(0, enough - left);
  let wanted = unmet + refill - coming;
  const isHurry = budget.trouble || pressed || judged.some(({ need }) => need?.urgency === "pressed");
  const why = reasonFor(demand);
  const donors = judged
    .filter(({ need, noDonor }) => need === null && noDonor === null)
    .map((each) => ({
      each,
      spare: each.balloon.target - Math.min(each.balloon.target, budget.trouble ? each.floor.hard : each.floor.usual),
    }))
    .filter(({ each, spare }) => spare >= worth(each.balloon.target))
    .sort((one, other) => richness(other) - richness(one));
  const moves: Move[] = [];
  for (const { each, spare } of donors) {
    if (wanted < MIB) break;
    const { name } = each.guest;
    const from = each.balloon.target;
    const step = Math.max(STEP.least, each.balloon.most * STEP.share) * (isHurry ? HURRY : 1);
    const taken = Math.min(spare, Math.max(worth(from), Math.min(step, wanted)));
    const to = upToMib(from - taken);
    if (to >= from) continue;
    wanted -= from - to;
    moves.push({
      name,
      kind: "shrink",
      from,
      to,
      sure: to,
      needy: false,
      why: `${why}; its programs can get ${about(each.available ?? 0)} that they don't use`,
    });
  }
  return moves;
}

/** The least that is taken at once from a guest that has so much. */
export function worth(target: number): number {
  return Math.max(WORTH.least, target * WORTH.share);
}

function richness({ each, spare }: { readonly each: Judged; readonly spare: number }): number {
  return spare / Math.max(MIB, each.uses ?? 0);
}

function reasonFor({ budget, left, unmet, pressed }: Demand): string {
  if (budget.trouble) return "the host has less free than it is to keep";
  if (unmet > 0) return `others are short of ${about(unmet)}`;
  if (pressed) return "the host waits for memory";
  return left < 0 ? `${about(-left)} more were promised to guests than there is` : `only ${about(left)} are free for the next need`;
}
