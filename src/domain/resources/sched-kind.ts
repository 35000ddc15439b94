import type { LaunchConfig } from "../../config/launch.ts";
import { isRealtime, POLICY_RULE, policyOf, priorityOf } from "../../config/policy.ts";
import { UsageError } from "../../errors.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import type { Live, LiveReader } from "../facts/live.ts";
import { shellWord } from "../model/format.ts";
import {
  type AnyChange,
  type CheckOptions,
  type FilePart,
  type Members,
  type Reason,
  type ResourceKind,
  type ThreadName,
  type ThreadPart,
  when,
} from "./resource.ts";
import { type BothFacts, CHANGED, type DiffRow } from "./row.ts";
import { type SchedStep, type Scheduled, scheduling } from "./sched-step.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

/** What is written for a thread that has no policy of its own: the usual one of Linux. */
export const OTHER = "other";

/** A change of a scheduling policy. */
interface SchedChange extends AnyChange {
  readonly policy: string;
}

/** What is special about the policy of one kind of threads. */
export interface SchedPlace<C extends SchedChange, T extends number | string | null, W> {
  readonly resource: C["resource"] & SchedStep["kind"];
  readonly row: number;
  readonly members: Members<C>;
  readonly inFile: FilePart<C, W>;
  readonly reads: readonly LiveReader[];
  readonly threads: Scheduled<T>;
  target(change: C): T;
  /** A change of these threads. */
  make(target: T, policy: string): C;
  /** Those of these threads that come and go; absent if they stay with the machine. */
  readonly comesAndGoes?: { thread(change: C): ThreadName; target(thread: ThreadName): T | null };
  /** Those that either half has something of. */
  targets(facts: Facts): readonly T[];
  /** Those of a running machine that `revert` may change. */
  staying(facts: BothFacts): readonly T[];
  /** The keys that lead to it in the config. */
  path(target: T): readonly string[];
  stored(target: T, config: LaunchConfig): string | undefined;
  applied(target: T, config: LaunchConfig, policy: string | undefined): LaunchConfig;
  /** The verb with its operands, but for the domain and the policy: `vcpusched`, `1`. */
  words(target: T): readonly [verb: string, ...operands: readonly string[]];
  /** @throws UsageError for a target that no machine could have */
  check(target: T): void;
  outOfRange(target: T, after: LaunchConfig): readonly Reason[];
  /** Why they can't be given a policy; none where they can. */
  missing(target: T, facts: LiveFacts, options: CheckOptions): readonly Reason[];
  /** Why the config has a policy for threads that are not there. */
  readonly waits: string;
  readonly atStart: ResourceKind<C, W>["atStart"];
}

/** The resource of the scheduling policy of one kind of threads. */
export function schedKind<C extends SchedChange, T extends number | string | null, W>(place: SchedPlace<C, T, W>): ResourceKind<C, W> {
  const { resource, threads } = place;
  const label = (target: T): string => (target === null ? resource : `${resource} ${target}`);
  const inConfig = (target: T, config: LaunchConfig): string => canonicalPolicy(place.stored(target, config) ?? OTHER);
  const inLive = (target: T, live: Live): string | null => threads.live(target, live)[0]?.policy ?? null;
  const mixed = (live: Live): boolean =>
    new Set(place.targets({ config: null, live } as Facts).flatMap((target) => threads.live(target, live).map(({ policy }) => policy)))
      .size > 1;
  const kept = (policy: string): string | undefined => (canonicalPolicy(policy) === OTHER ? undefined : canonicalPolicy(policy));
  const differing = ({ config, live }: BothFacts, targets: readonly T[]): readonly (readonly [T, config: string, live: string])[] =>
    targets.flatMap((target) => {
      const [stored, now] = [inConfig(target, config), inLive(target, live)];
      return now === null || now === stored ? [] : [[target, stored, now] as const];
    });
  return {
    resource,
    row: place.row,
    label: (change) => label(place.target(change)),
    unit: "text",
    members: place.members,
    inFile: place.inFile,
    needsGuest: false,
    stepKinds: [scheduling(threads) as unknown as StepKind<Step>],
    reads: place.reads,

    check: (change) => {
      place.check(place.target(change));
      canonicalPolicy(change.policy);
    },
    ...(place.comesAndGoes === undefined ? { isMixed: mixed } : { ofThreads: threadPart(place, place.comesAndGoes) }),
    withValue: (change, value) => ({ ...change, policy: String(value) }),
    wanted: ({ policy }) => canonicalPolicy(policy),
    command: (change, name) => {
      const [verb, ...operands] = place.words(place.target(change));
      return [verb, ...[name, ...operands, change.policy].map(shellWord)].join(" ");
    },

    inConfig: (change, config) => inConfig(place.target(change), config),
    edits: (change) => [{ path: place.path(place.target(change)), value: kept(change.policy) }],
    applied: (change, config) => place.applied(place.target(change), config, kept(change.policy)),
    staticReasons: (change, { after }) => (kept(change.policy) === undefined ? [] : place.outOfRange(place.target(change), after)),

    inLive: (change, live) => inLive(place.target(change), live),
    needed: (change, { live, threadsBefore }) =>
      inLive(place.target(change), live) !== canonicalPolicy(change.policy) ||
      threads.live(place.target(change), live).some(({ tid, policy }) => (policyBefore(tid, threadsBefore) ?? policy) !== policy),
    liveReasons: (change, facts, options) => {
      const target = place.target(change);
      const missing = place.missing(target, facts, options);
      return missing.length > 0
        ? missing
        : [
            ...foreign(threads.name(target), inLive(target, facts.live)),
            ...rights(change.policy, inLive(target, facts.live), facts.live, options),
          ];
    },
    steps: (change, { live, threadsBefore }): readonly SchedStep<T>[] => {
      const target = place.target(change);
      const before = threads.live(target, live);
      const back = before.flatMap(({ tid }) => {
        const policy = policyBefore(tid, threadsBefore);
        return policy === null ? [] : [{ tid, policy }];
      });
      if (back.length > 0) return [{ kind: resource, target, policy: canonicalPolicy(change.policy), before: back, isBack: true }];
      return [{ kind: resource, target, policy: canonicalPolicy(change.policy), before: before.length === 0 ? null : before }];
    },

    rows: (facts) =>
      place.targets(facts).flatMap((target): readonly DiffRow[] => {
        const [config, live] = [facts.config && inConfig(target, facts.config), facts.live && inLive(target, facts.live)];
        if ([config, live].every((each) => each === null || each === OTHER)) return [];
        return [{ resource: label(target), config, live, guest: null, why: whyPolicy(target, config, live, facts, place.waits) }];
      }),
    revert: (facts) => differing(facts, place.staying(facts)).map(([target, config]) => place.make(target, config)),
    // A policy that only the kernel's own call can set can't be kept.
    persist: (facts) =>
      differing(facts, place.targets(facts)).flatMap(([target, , live]) =>
        policyOf(live) === undefined ? [] : [place.make(target, live)],
      ),
    atStart: place.atStart,
  } as ResourceKind<C, W>;
}

/** What a thread had before a change that is taken back now; null if that is not known. */
function policyBefore(tid: number, threads: LiveFacts["threadsBefore"]): string | null {
  return threads?.find((each) => each.tid === tid)?.policy ?? null;
}

function threadPart<C extends SchedChange, T extends number | string | null, W>(
  { threads, targets, make, stored }: SchedPlace<C, T, W>,
  { thread, target }: NonNullable<SchedPlace<C, T, W>["comesAndGoes"]>,
): ThreadPart<C> {
  return {
    thread,
    had: (live) =>
      targets({ config: null, live } as Facts).flatMap((each) => threads.live(each, live).map(({ policy }) => make(each, policy))),
    due: (name, config) => {
      const its = target(name);
      return its === null ? null : make(its, (config === null ? undefined : stored(its, config)) ?? OTHER);
    },
  };
}

/** A policy in its shortest form. @throws UsageError for a text that is none */
export function canonicalPolicy(text: string): string {
  const policy = policyOf(text);
  if (policy !== undefined) return policy;
  const shown = JSON.stringify(text.slice(0, 40));
  throw new UsageError(`policy ${shown}: ${isRealtime(text) ? "it needs a priority from 1 to 99, as fifo:1" : "there is no such policy"}`, {
    value: text,
    expected: POLICY_RULE,
  });
}

/** One that chrt can't put back as it was is not taken away. */
function foreign(who: string, policy: string | null): readonly Reason[] {
  if (policy === null || policyOf(policy) !== undefined) return [];
  return [
    {
      reason: `${who}: somebody gave it the policy ${policy}, which could not be put back as it was`,
      instead: "change it with chrt by hand",
    },
  ];
}

function rights(wanted: string, before: string | null, { scheduling: known }: Live, { force }: CheckOptions): readonly Reason[] {
  const policy = canonicalPolicy(wanted);
  if (known === undefined) return [];
  const { highest, leavesIdle } = known.rights;
  const limit = highest === 0 ? "no priority of real time" : `no priority above ${highest}`;
  return [
    ...when(isRealtime(policy) && priorityOf(policy) > highest, () => ({
      reason: `${policy} needs CAP_SYS_NICE, which this process has not, and the limits of QEMU (RLIMIT_RTPRIO) allow ${limit}`,
      instead: "as root, or with that limit raised before QEMU starts; batch needs no right",
    })),
    ...when(before === "idle" && !leavesIdle, () => ({
      reason:
        "a thread leaves idle only with CAP_SYS_NICE, which this process has not, and the limits of QEMU (RLIMIT_NICE) do not allow it",
      instead: "as root",
    })),
    ...when(policy === "idle" && before !== "idle" && !leavesIdle && !force, () => ({
      reason: "idle can't be taken back without CAP_SYS_NICE, which this process has not",
      instead: "batch, or --force",
    })),
  ];
}

function whyPolicy(target: unknown, config: string | null, live: string | null, { live: machine }: Facts, waits: string): string | null {
  if (machine === null || config === null || config === live) return null;
  if (live === null) return waits;
  const inherited = target !== null && config === OTHER && machine.scheduling?.main === live;
  return inherited ? "inherited from QEMU's main thread: `revert` gives it other, `persist` keeps it" : CHANGED;
}
