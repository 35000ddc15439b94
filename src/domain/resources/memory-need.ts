import { formatSize } from "../../config/size.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { GuestNeed } from "../facts/guest-need.ts";
import { memoryNow } from "../facts/live-memory.ts";
import { runStateOf } from "../model/run-state.ts";
import { type Reason, when } from "./resource.ts";

const MIB = 2 ** 20;

/**
 * What a guest needs besides what it uses: with 3 MiB more the test guest lived, with 1 MiB its programs were killed (measured); a larger
 * one grows by more while the balloon moves. A share
 * of what it uses, and something at least.
 */
const SPARE_SHARE = 1 / 16;
const LEAST_SPARE = 16 * MIB;
/** How much what a guest uses varies from one moment to the next: what is advised is to do for the next try too. */
const MARGIN = 2 * MIB;

/**
 * What a guest that can't say what it uses is left: half of its machine, and of a small one all. Linux boots in less; what more runs in it,
 * nobody knows.
 */
const UNKNOWN_SHARE = 1 / 2;
const LEAST_UNKNOWN = 256 * MIB;

/** Whether the guest would be asked to live with less than it has, and is headed for. */
export function isShrink(size: number, { live: { memory }, asked: { balloon, balloonOr } }: LiveFacts): boolean {
  if (memory.actual === null) return false;
  return size < (balloonOr !== undefined ? memory.size : (balloon ?? memoryNow(memory)));
}

/** The least that the guest can live with, by what it has just said. */
export function leastFor(uses: number): number {
  return Math.ceil((uses + Math.max(LEAST_SPARE, uses * SPARE_SHARE)) / MIB) * MIB;
}

/**
 * Why a balloon of this size could kill the guest. `need` is what it has said when it was asked for this change; nothing is known to be
 * wrong before it was.
 */
export function needReasons(size: number, { need, live: { memory, status } }: LiveFacts): readonly Reason[] {
  if (need === undefined) return [];
  if ("uses" in need) return tooNear(size, need, runStateOf(status).is);
  const floor = Math.max(memory.size * UNKNOWN_SHARE, Math.min(memory.size, LEAST_UNKNOWN));
  return SILENT[need.silent](size, floor, runStateOf(status).is);
}

function tooNear(size: number, { uses, frozen }: Extract<GuestNeed, { uses: number }>, state: string): readonly Reason[] {
  const least = leastFor(uses);
  if (size >= least) return [];
  const used = formatSize(Math.ceil(uses / MIB) * MIB);
  const enough = formatSize(least + MARGIN);
  const asked = formatSize(size);
  if (frozen === true) {
    return [
      {
        reason: `memory ${asked} is below the ${formatSize(least)} that the guest may need: it ${state}, and can't be asked what it uses now`,
        instead: `resume it first, so that it can be asked, or at least ${enough}, or --force`,
      },
    ];
  }
  const reason =
    size < uses
      ? `memory ${asked} is below the ${used} that the guest says it uses, and could kill it`
      : `memory ${asked} leaves the guest next to nothing besides the ${used} that it says it uses, and could kill it`;
  return [{ reason, instead: `at least ${enough}, or --force` }];
}

const SILENT: Readonly<
  Record<Extract<GuestNeed, { silent: unknown }>["silent"], (size: number, floor: number, state: string) => readonly Reason[]>
> = {
  "no-driver": (size, floor) =>
    when(size < floor, () => ({
      reason: `the guest's balloon driver is not up, so the guest can't say how much memory it uses, and ${formatSize(size)} could kill it as soon as the driver is`,
      instead: `at least ${formatSize(Math.ceil(floor / MIB) * MIB)}, or again when the guest has booted, or --force`,
    })),
  "no-answer": (size) => [
    {
      reason: `the guest does not say how much memory it uses, though it was asked just now, and ${formatSize(size)} could kill it`,
      instead: "ask again when it answers, or --force",
    },
  ],
  frozen: (size, _floor, state) => [
    {
      reason: `the guest ${state} and has never said how much memory it uses, so ${formatSize(size)} could kill it`,
      instead: "resume it first, so that it can be asked, or --force",
    },
  ],
};
