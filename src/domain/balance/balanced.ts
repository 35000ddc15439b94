import type { Report } from "../change/change-report.ts";
import type { WorkedOut } from "../change/plan-asking.ts";
import type { MemoryOptions } from "../model/action.ts";
import type { ChangeOptions } from "../model/change.ts";
import type { Change } from "../resources/registry.ts";
import type { MemoryStatistics } from "../views/memstat.ts";

/** What is needed of a domain to balance it. The library's `Domain` has all of it. */
export interface Balanced {
  readonly name: string;
  memory(options: MemoryOptions): Promise<MemoryStatistics>;
  change(wanted: Change | readonly Change[] | WorkedOut, options: ChangeOptions): Promise<Report>;
}
