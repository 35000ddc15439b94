import { messageOf, QmpctlError } from "../../errors.ts";
import type { Report } from "../change/change-report.ts";
import type { WorkedOut } from "../change/plan-asking.ts";
import { memoryNow } from "../facts/live-memory.ts";
import type { Outcome } from "../model/change.ts";
import type { Balanced } from "./balanced.ts";
import { eachOf } from "./each-of.ts";
import { fund } from "./fund.ts";
import type { Move } from "./move.ts";

/** A move, and what became of it. Sizes in bytes. */
export interface BalanceMove {
  readonly domain: string;
  /** `give-up`: a guest that can't give back what it was asked for is asked no more. */
  readonly kind: "grow" | "shrink" | "give-up";
  readonly from: number;
  readonly to: number;
  /** What the balloon leaves the guest now; null if it was not tried, or that is not known. */
  readonly actual: number | null;
  readonly outcome: Outcome | "interrupted";
  /** The guest is in need. */
  readonly needy: boolean;
  readonly why: string;
  /** Why it was not made. */
  readonly failure?: string;
  /** The report of the change. */
  readonly report?: Report;
}

/** How many guests are moved at once. */
const AT_ONCE = 8;

/** How moves are made. */
export interface MakeOptions {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes the moves: first those that give, and with them those that have to wait for nobody; then those that get what was given. A move that
 * fails stops no other.
 */
export async function make(moves: readonly Move[], domains: readonly Balanced[], options: MakeOptions): Promise<readonly BalanceMove[]> {
  const waits = ({ kind, to, sure }: Move): boolean => kind === "grow" && to > sure;
  const first = await makeAll(
    moves.filter((move) => !waits(move)),
    domains,
    options,
  );
  const given = first.reduce(
    (sum, { kind, from, actual }) => sum + (kind === "shrink" && actual !== null ? Math.max(0, from - actual) : 0),
    0,
  );
  return [...first, ...(await makeAll(fund(moves.filter(waits), given), domains, options))];
}

function makeAll(moves: readonly Move[], domains: readonly Balanced[], options: MakeOptions): Promise<readonly BalanceMove[]> {
  return eachOf(moves, AT_ONCE, (move) =>
    makeOne(
      move,
      domains.find(({ name }) => name === move.name),
      options,
    ),
  );
}

async function makeOne(move: Move, domain: Balanced | undefined, { timeout, signal }: MakeOptions): Promise<BalanceMove> {
  const { name, kind, from, to, needy, why } = move;
  const made = { domain: name, kind, from, to, needy, why };
  if (domain === undefined || isAborted(signal)) return { ...made, actual: null, outcome: "interrupted", failure: "it was not begun" };
  try {
    const report = await domain.change(ifStillAt(from, to), { scope: "dynamic", automatic: true, timeout, signal });
    const actual = report.changes[0]?.dynamic.actual ?? null;
    return { ...made, outcome: report.outcome, actual: typeof actual === "number" ? actual : null, report };
  } catch (error) {
    const report = error instanceof QmpctlError && "report" in error ? (error.report as Report) : undefined;
    const outcome = isAborted(signal) ? "interrupted" : (report?.outcome ?? "refused");
    return { ...made, actual: null, outcome, failure: messageOf(error), ...(report === undefined ? {} : { report }) };
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Under the lock it is looked again: somebody may have moved this guest's memory since it was decided. Then nothing is done. */
function ifStillAt(from: number, size: number): WorkedOut {
  return Object.assign(
    ({ live, asked }: Parameters<WorkedOut>[0]) =>
      live !== null && (asked.balloon ?? memoryNow(live.memory)) === from ? [{ resource: "memory" as const, size }] : [],
    { oneHalf: true, among: ["memory" as const] },
  );
}
