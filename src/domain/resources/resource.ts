import type { Edit } from "../../config/edit.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live } from "../facts/live.ts";
import type { Value } from "../model/change.ts";
import type { Step } from "./step.ts";

/** Why something can't be done, and what would work instead. */
export interface Reason {
  readonly reason: string;
  readonly instead?: string;
}

/** What every change has: whose it is. */
export interface AnyChange {
  readonly resource: string;
}

/** Everything there is to know of one resource: a new resource is a new one of these. All pure. */
export interface ResourceKind<C extends AnyChange> {
  /** Its name, as a change says it. */
  readonly resource: C["resource"];
  /** Where it stands in tables: those of small numbers first. No two are the same. */
  readonly row: number;
  /** The name of one change's place in tables: `memory`, `vcpu-pin 0`. */
  label(change: C): string;
  /** A value as a person reads it. */
  format(value: number | string): string;
  /** The same change with another value, as it was read or noted before. */
  withValue(change: C, value: number | string): C;
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
