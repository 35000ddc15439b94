import type { Report } from "../../domain/change/change-report.ts";

/**
 * What became of one target.
 *
 * - `planned`: it would be done; nothing was touched. `unchanged`: it is so already.
 * - `applied`: done. `pending`: asked for, and not done by the deadline.
 * - `rolled-back`: it failed, and all is as it was. `failed`: it failed, and something is not as it was. `error`: an action failed.
 * - `refused`: it can't be done as things are, and was not touched. `unreachable`: its host can't be worked with, and was not touched.
 * - `lost`: it had begun when the connection went, and what became of it is not known, or has to be resolved.
 * - `interrupted`: it was interrupted, and what was half done is undone. `not-begun`: it was not its turn any more.
 */
export type TargetOutcome =
  | "planned"
  | "unchanged"
  | "applied"
  | "pending"
  | "rolled-back"
  | "failed"
  | "error"
  | "refused"
  | "unreachable"
  | "lost"
  | "interrupted"
  | "not-begun";

/** One domain of one host, and what became of it. */
export interface FleetTarget {
  /** The host's name, as the list of hosts has it. */
  readonly host: string;
  /** Null where the host could not be asked which of its domains a pattern means. */
  readonly domain: string | null;
  readonly outcome: TargetOutcome;
  /** Of a change. Without the config's texts, unless it is a dry run. */
  readonly report?: Report;
  /** What an action answered, as a start or a shutdown. */
  readonly value?: unknown;
  readonly error?: Error;
  /** What else there is to know. */
  readonly notes?: readonly string[];
  /** The command that finishes what is half done, or tells what became of it; to be typed here. */
  readonly finish?: string;
  /** The command that takes back what was done; to be typed here. */
  readonly takeBack?: string;
  /** By what the outcome can be asked for, where it is not known. */
  readonly key?: string;
}

/**
 * How the whole ended.
 *
 * - `planned`: a dry run, and all could be done. `done`: all is so. `pending`: as `done`, but some are not done by the deadline
 * - `refused`: nothing was touched anywhere
 * - `partial`: something somewhere is neither as it was nor as it is wanted, or is not known
 * - `interrupted`; `failed`: everything else
 */
export type FleetOutcome = "planned" | "done" | "pending" | "refused" | "partial" | "interrupted" | "failed";

/** What became of each target: each is in it exactly once, whatever happened. */
export interface FleetReport {
  readonly outcome: FleetOutcome;
  /** In the order of the hosts, and of the names on each. */
  readonly targets: readonly FleetTarget[];
  /** The hosts on which a pattern matches no domain. */
  readonly unmatched: readonly string[];
  readonly elapsed: number;
}

const GOOD: ReadonlySet<TargetOutcome> = new Set(["planned", "unchanged", "applied", "pending"]);
const UNTOUCHED: ReadonlySet<TargetOutcome> = new Set(["planned", "unchanged", "refused", "unreachable", "not-begun"]);

/** Whether a target is as it is wanted, or will be. */
export function isGood({ outcome }: Pick<FleetTarget, "outcome">): boolean {
  return GOOD.has(outcome);
}

/** How the whole ended, by how each did. */
export function overallOf(
  targets: readonly Pick<FleetTarget, "outcome">[],
  { dryRun, isInterrupted }: { readonly dryRun: boolean; readonly isInterrupted: boolean },
): FleetOutcome {
  const has = (...outcomes: readonly TargetOutcome[]): boolean => targets.some(({ outcome }) => outcomes.includes(outcome));
  if (has("failed", "lost")) return "partial";
  if (isInterrupted && has("interrupted", "not-begun", "rolled-back")) return "interrupted";
  if (targets.every(isGood)) return dryRun ? "planned" : has("pending") ? "pending" : "done";
  return targets.every(({ outcome }) => UNTOUCHED.has(outcome)) ? "refused" : "failed";
}
