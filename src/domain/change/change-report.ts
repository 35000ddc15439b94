import type { HostMemoryChange } from "../facts/host-memory-change.ts";
import type { Leg, Outcome, Refusal, Scope, StepReport } from "../model/change.ts";
import type { DomainState } from "../model/run-state.ts";
import type { Change } from "../resources/registry.ts";

/** What became of one change of the set. */
export interface ChangeReport {
  readonly change: Change;
  readonly static: Leg;
  readonly dynamic: Leg;
}

/** When a change ends by itself. */
export interface ReportEnd {
  /** What names it, as in `revert web1 --end KEY`; null for a dry run. */
  readonly key: string | null;
  /** ISO 8601, in UTC. */
  readonly until: string;
  /** The timer of the host's that sees to it. */
  readonly timer: string;
}

/** The answer to a change. Both halves are always reported, also if only one was asked for. */
export interface Report {
  readonly domain: string;
  readonly scope: Scope;
  readonly state: DomainState;
  readonly outcome: Outcome;
  readonly changes: readonly ChangeReport[];
  readonly steps: readonly StepReport[];
  /** What the host's memory did while the guest's was changed; absent if that was not touched, or the host's is not known. */
  readonly host?: HostMemoryChange;
  /** Why the host's memory is not known, though QEMU runs on this host. */
  readonly hostDenied?: string;
  /** Every reason at once, when `outcome` is `refused`. */
  readonly refusals: readonly Refusal[];
  /** What else the caller should know: QEMU died, a static change waits for the next start. */
  readonly notes: readonly string[];
  /** When the change ends by itself, if it does. */
  readonly end?: ReportEnd;
  /** Of a dry run: what was interrupted, and has to be resolved before the change can be made. */
  readonly toResolve?: string;
  /** The command that finishes what is half done, and the one that takes it back. */
  readonly finish?: string;
  readonly takeBack?: string;
  /** The config file's text before and after (dry run, and changes of the static half). */
  readonly config?: { readonly path: string; readonly before: string; readonly after: string };
  readonly elapsed: number;
}
