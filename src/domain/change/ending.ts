import type { LaunchConfig } from "../../config/launch.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import type { Scope } from "../model/change.ts";
import type { StepRecord } from "./apply.ts";
import type { Plan } from "./plan.ts";

/** What is known at the end of a change. */
export interface Ending {
  readonly name: string;
  readonly scope: Scope;
  readonly facts: Facts;
  readonly plan: Plan;
  readonly records: readonly StepRecord[];
  /** Read again after the work; null where that is not possible any more, or there is none. */
  readonly after: { readonly config: LaunchConfig | null; readonly live: Live | null };
  readonly committed: boolean;
  /** What made it fail, if it did. */
  readonly failure: string | null;
  readonly dryRun: boolean;
  readonly notes: readonly string[];
  readonly config: { readonly path: string; readonly before: string; readonly after: string } | null;
  readonly elapsed: number;
}
