import type { Edit } from "../../config/edit.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import type { Session } from "../../qmp/session.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { ConfigReader } from "../facts/images.ts";
import type { Live, LiveReader } from "../facts/live.ts";
import type { Value } from "../model/change.ts";
import type { BothFacts, DiffRow, RowFacts } from "./row.ts";
import type { StepKind } from "./step-kind.ts";
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

/** Everything there is to know of one resource: a new resource is a new one of these. Pure, but for `atStart`. */
export interface ResourceKind<C extends AnyChange, W = unknown> {
  /** Its name, as a change says it. */
  readonly resource: C["resource"];
  /** Where it stands in tables: those of small numbers first. No two are the same. */
  readonly row: number;
  /** The name of one change's place in tables: `memory`, `vcpu-pin 0`. */
  label(change: C): string;
  /** What its values are: sizes in bytes, seconds, counts, Linux CPU lists, or words of its own. */
  readonly unit: "bytes" | "seconds" | "count" | "cpus" | "text";
  /** The members of a change besides its resource: by these, a record of it is checked when it is read. */
  readonly members: Members<C>;
  /** Where it stands in an allocation file. */
  readonly inFile: FilePart<C, W>;
  /** Whether the guest has a part in a change of it: then nothing can be done while the guest has crashed, or is elsewhere. */
  readonly needsGuest: boolean;
  /** Whether the guest moves the live value by itself: then another value than before is nobody's meddling. */
  readonly guestMoves?: true;
  /** What others follow: in a set of changes it is written before them, so that what is asked for by name counts. */
  readonly isMaximum?: true;
  /** Whether a change has no static half, so that a set of both halves leaves it out of the config. */
  isLiveOnly?(change: C): boolean;
  /**
   * Whether both halves are one thing, an image, that no words of the config hold: it is changed by steps, whether the machine runs or not,
   * and never taken back. A running machine has it in use, so its static half is not changed alone then.
   */
  readonly isImage?: true;
  /** What it needs to know of the files that the config names. */
  readonly readsConfig?: ConfigReader;
  /** The steps for a machine that does not run. */
  stepsOff?(change: C, facts: Facts): readonly Step[];
  /** Whether its steps belong together: none of another change comes between them. */
  readonly keepsTogether?: true;
  /** Every kind of step that is its own. */
  readonly stepKinds: readonly StepKind<Step>[];
  /** The same change with another value, as it was read or noted before; one of another resource where that value takes it. */
  withValue(change: C, value: number | string): AnyChange;
  /** @throws UsageError for a value that no machine could have */
  check(change: C): void;
  /** Why it can't be in one set with that other change; null where it can. */
  clash?(change: C, other: AnyChange): string | null;
  /** Whether it says all that the other change of a set says, so that the other is left out. */
  covers?(change: C, other: AnyChange): boolean;
  wanted(change: C): Value;
  inConfig(change: C, config: LaunchConfig): Value;
  /** Keys and values to set in the config, as the changes before this one in the set leave it. */
  edits(change: C, config: LaunchConfig): readonly Edit[];
  /** The config as it is after the change, for the checks of the others in the set. */
  applied(change: C, config: LaunchConfig): LaunchConfig;
  /** `after` is the config with every change of the set in it. */
  staticReasons(change: C, facts: Facts & { readonly after: LaunchConfig }, options: CheckOptions): readonly Reason[];
  /** What it needs to know of a running machine besides what is always read; it finds that in `live`, absent where QEMU has no answer. */
  readonly reads?: readonly LiveReader[];
  /** Whether it gives or takes memory: then the report tells what the host's memory did, and `live` has the host's part. */
  readonly movesHostMemory?: true;
  inLive(change: C, live: Live): Value;
  /** Whether the live machine has to be touched: its value differs, or something else was asked of it and is still on its way. */
  needed(change: C, facts: LiveFacts): boolean;
  /** Whether the guest has been asked for it and may still do it, where neither `needed` nor `back` tells. */
  isAsked?(change: C, facts: LiveFacts): boolean;
  liveReasons(change: C, facts: LiveFacts, options: CheckOptions): readonly Reason[];
  steps(change: C, facts: LiveFacts, options?: CheckOptions): readonly Step[];
  /**
   * What the live half goes back to, where that is another value than it shows: the target of a guest on its way; which vCPUs, not how
   * many.
   */
  back?(change: C, facts: LiveFacts): Value;
  /** What the config goes back to, where that is another value than it shows: which vCPUs, not how many. */
  configBack?(change: C, config: LaunchConfig): Value;
  /** Whether threads that it treats as one differ, so that no command gives back what they have. */
  isMixed?(live: Live): boolean;
  /** The resources of what the threads have that its steps bring to life, by their names. */
  readonly threadsHave?: readonly string[];
  /** What it gives to threads that come and go: `recover` gives it to one that came, or came back, when a change was interrupted. */
  readonly ofThreads?: ThreadPart<C>;
  /** Its rows in `diff`. */
  rows(facts: RowFacts): readonly DiffRow[];
  /** The changes that make the live machine equal its config; null where a running machine can't be changed. */
  readonly revert: ((facts: BothFacts) => readonly C[]) | null;
  /** The changes that make the config equal the live machine. */
  persist(facts: BothFacts): readonly C[];
  /** What the caller ought to know when its static half is in a change. `config` is as it then is; `live` is null of a stopped machine. */
  remarks?(about: { readonly change: C; readonly config: LaunchConfig; readonly live: Live | null }): readonly string[];
  /** Makes a machine that is set up, and does not run yet, what its config says. @throws HostError where it can't, or is not so after */
  atStart?(config: LaunchConfig, live: Live, session: Session): Promise<void>;
  /** The command line that asks for it, without flags: `setmem web1 1GiB`; null if no verb can say it. */
  command(change: C, name: string): string | null;
}

/** A thread that comes and goes: a vCPU's by its number, or an iothread's by its id. */
export type ThreadName = number | string;

/** What a resource gives to such threads. */
export interface ThreadPart<C extends AnyChange> {
  thread(change: C): ThreadName;
  /** The changes that give each of the machine's threads what it has. */
  had(live: Live): readonly C[];
  /** The change that gives a new one what the config has for it; null if it is no thread of this resource, or comes with it. */
  due(thread: ThreadName, config: LaunchConfig | null): C | null;
}

/** What each member of a change is, but for those that it need not have. */
export type Members<C extends AnyChange> = {
  readonly [K in Exclude<keyof C, "resource"> as object extends Pick<C, K> ? never : K]: C[K] extends number ? "number" : "text";
};

/** Says that a value of an allocation file is wrong: where it stands, what it is, and what would be right. */
export type Complain = (place: string, value: unknown, expected: string) => void;

/** A resource's part of an allocation file. `W` is its type there: `{ memory: { current: string } }`. */
export interface FilePart<C extends AnyChange, W> {
  /** The keys that lead to it, `["memory", "current"]`. */
  readonly path: readonly [group: string, key: string];
  /** How the shape of a file shows it, as `SIZE`, and a value as an example, in JSON. */
  readonly shape: string;
  readonly example: string;
  /** The changes that a value asks for; none, and a complaint, where it is no such value. @throws UsageError for a size that is none */
  changes(value: unknown, place: string, complain: Complain): readonly C[];
  /** Only for the compiler. */
  readonly type?: W;
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
