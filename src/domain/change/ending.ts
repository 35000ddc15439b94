import type { LaunchConfig } from "../../config/launch.ts";
import type { Facts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import type { Scope } from "../model/change.ts";
import type { StepRecord } from "./apply.ts";
import type { ReportEnd } from "./change-report.ts";
import type { Plan } from "./plan.ts";

/** What is known at the end of a change. */
export interface Ending {
  readonly name: string;
  readonly scope: Scope;
  readonly facts: Facts;
  readonly plan: Plan;
  readonly records: readonly StepRecord[];
  /** Both halves, read again after the work; null if that is no longer possible, or there is none. */
  readonly after: { readonly config: LaunchConfig | null; readonly live: Live | null };
  readonly committed: boolean;
  /** Why it failed; null if it did not. */
  readonly failure: string | null;
  readonly dryRun: boolean;
  /** Whether the way back is told also of a change that is made. */
  readonly tellsTakeBack?: boolean;
  readonly end?: ReportEnd | undefined;
  readonly notes: readonly string[];
  readonly config: { readonly path: string; readonly before: string; readonly after: string } | null;
  readonly elapsed: number;
}
