import type { Edit } from "../../config/edit.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import type { CpuSet } from "../../host/cpulist.ts";
import type { GuestNeed } from "../facts/guest-need.ts";
import type { Live } from "../facts/live.ts";
import type { Asked } from "../facts/notes.ts";
import type { Change, DomainState, Value } from "../model/change.ts";
import type { Step } from "./step.ts";

/** What is known when a plan is made. All of it was read before; nothing here does I/O. */
export interface Facts {
  readonly state: DomainState;
  /** Why the machine is `unreachable`; of a stopped one, what stands in the way of a start. */
  readonly why?: string;
  /** Null for a transient domain. */
  readonly config: LaunchConfig | null;
  /** Null when the machine does not run, can't be reached, or was not asked. */
  readonly live: Live | null;
  /** What was asked of this machine before and may not be done yet. */
  readonly asked: Asked;
  /** The CPUs of this host. */
  readonly online: CpuSet;
  readonly present: CpuSet;
  /** What the guest said when it was asked for this change; absent where it was not. */
  readonly need?: GuestNeed;
}

/** Facts of a machine that runs. */
export type LiveFacts = Facts & {
  readonly live: Live;
  /** vCPUs that another change of the same set plugs. */
  readonly coming?: ReadonlySet<number>;
};

/** Why something can't be done, and what would work instead. */
export interface Reason {
  readonly reason: string;
  readonly instead?: string;
}

/** Everything there is to know of one resource: a new resource is a new one of these. All pure. */
export interface ResourceKind<C extends Change> {
  /** @throws UsageError for a value that no machine could have */
  check(change: C): void;
  wanted(change: C): Value;
  inConfig(change: C, config: LaunchConfig): Value;
  /** Keys and values to set in the config. */
  edits(change: C, config: LaunchConfig): readonly Edit[];
  /** The config as it is after the change, for the checks of the others in the set. */
  applied(change: C, config: LaunchConfig): LaunchConfig;
  /** `after` is the config with every change of the set in it. */
  staticReasons(change: C, facts: Facts & { readonly after: LaunchConfig }, options: CheckOptions): readonly Reason[];
  inLive(change: C, live: Live): Value;
  /** Whether the live machine has to be touched: its value differs, or something else was asked of it and is still on its way. */
  needed(change: C, facts: LiveFacts): boolean;
  liveReasons(change: C, facts: LiveFacts, options: CheckOptions): readonly Reason[];
  steps(change: C, facts: LiveFacts): readonly Step[];
  /** The command line that asks for it, without flags: `setmem web1 1GiB`. */
  command(change: C, name: string): string;
}

/** What the checks are told besides the facts. */
export interface CheckOptions {
  readonly name: string;
  readonly force: boolean;
}

/** One reason, as a list with one or none in it. */
export function when(wrong: boolean, reason: () => Reason): readonly Reason[] {
  return wrong ? [reason()] : [];
}
