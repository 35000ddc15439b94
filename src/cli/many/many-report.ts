import type { Ended } from "../../remote/fleet/ended.ts";
import type { FleetOutcome } from "../../remote/fleet/target.ts";

/** One file, and what became of it. */
export interface ManyTarget extends Ended {
  readonly domain: string;
  readonly file: string;
}

/** What became of each file. */
export interface ManyReport {
  readonly outcome: FleetOutcome;
  readonly targets: readonly ManyTarget[];
  /** What is in a folder and is no file for a domain. */
  readonly skipped: readonly string[];
  readonly elapsed: number;
}
