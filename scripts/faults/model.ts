import type { Scope } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";

/** A domain as the model knows it: sizes in MiB, masks as lists. Nothing here is the product's. */
export interface State {
  readonly config: {
    readonly memory: number;
    readonly maxMemory: number;
    readonly vcpus: number;
    readonly maxVcpus: number;
    readonly pins: Readonly<Record<string, string>>;
  };
  /** Null where it does not run. A vCPU's place in `masks` is its number. */
  readonly live: {
    readonly memory: number;
    readonly maxMemory: number;
    readonly maxVcpus: number;
    readonly masks: readonly string[];
  } | null;
}

/** What a set of changes leads to; null where it has to be refused. */
export interface Prediction {
  readonly after: State | null;
  /** Whether the config, the machine, has anything to be done to it. */
  readonly writes: boolean;
  readonly acts: boolean;
}

/** Bytes in a MiB. */
export const MIB: number = 2 ** 20;

/** Which halves a scope is about. */
export function legsOf(scope: Scope, runs: boolean): { readonly fixed: boolean; readonly running: boolean } {
  return {
    fixed: scope === "static" || scope === "both" || (scope === "current" && !runs),
    running: scope === "dynamic" || scope === "both" || (scope === "current" && runs),
  };
}

/** What a change wants, in the units of reports. */
export function wantedOf(change: Change): number | string {
  if (change.resource === "vcpu-pin") return change.cpus;
  return change.resource === "memory" || change.resource === "max-memory" ? change.size : change.count;
}

/** What the config has of it, in the units of reports. */
export function inConfig(change: Change, { config }: State): number | string {
  if (change.resource === "vcpu-pin") return config.pins[change.vcpu] ?? "all";
  return { memory: config.memory * MIB, "max-memory": config.maxMemory * MIB, vcpus: config.vcpus, "max-vcpus": config.maxVcpus }[
    change.resource
  ];
}

/** What the running machine has of it; null where it does not run, or has no such vCPU. */
export function inLive(change: Change, { live }: State): number | string | null {
  if (live === null) return null;
  if (change.resource === "vcpu-pin") return live.masks[change.vcpu] ?? null;
  return { memory: live.memory * MIB, "max-memory": live.maxMemory * MIB, vcpus: live.masks.length, "max-vcpus": live.maxVcpus }[
    change.resource
  ];
}

/** Predicts a set of changes in a scope. `all`: the mask of a thread that is not pinned. */
export function predict(state: State, changes: readonly Change[], scope: Scope, all: string): Prediction {
  const { fixed, running } = legsOf(scope, state.live !== null);
  const config = fixed ? fixedAfter(state.config, changes) : state.config;
  const live = running ? (state.live === null ? null : liveAfter(state.live, changes, all, state.config.pins)) : state.live;
  if (config === null || (running && live === null)) return { after: null, writes: false, acts: false };
  const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
  return { after: { config, live }, writes: !same(config, state.config), acts: !same(live, state.live) };
}

function fixedAfter(before: State["config"], changes: readonly Change[]): State["config"] | null {
  let { memory, maxMemory, vcpus, maxVcpus, pins } = before;
  for (const change of changes) {
    if (change.resource === "memory") memory = change.size / MIB;
    if (change.resource === "max-memory") maxMemory = change.size / MIB;
    if (change.resource === "vcpus") vcpus = change.count;
    if (change.resource === "max-vcpus") maxVcpus = change.count;
    if (change.resource !== "vcpu-pin") continue;
    const { [change.vcpu]: _, ...others } = pins;
    pins = change.cpus === "all" ? others : { ...others, [change.vcpu]: change.cpus };
  }
  const right = memory <= maxMemory && vcpus <= maxVcpus && Object.keys(pins).every((vcpu) => Number(vcpu) < maxVcpus);
  return right ? { memory, maxMemory, vcpus, maxVcpus, pins: sorted(pins) } : null;
}

function sorted(pins: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(pins).sort());
}

function liveAfter(
  before: NonNullable<State["live"]>,
  changes: readonly Change[],
  all: string,
  pins: Readonly<Record<string, string>>,
): State["live"] {
  let { memory, maxMemory, maxVcpus } = before;
  let masks = [...before.masks];
  const wanted = changes.find((change) => change.resource === "vcpus");
  if (wanted !== undefined && wanted.count > maxVcpus) return null;
  // A vCPU that comes has the pin of the config as it was, or all CPUs.
  while (wanted !== undefined && masks.length < wanted.count) masks.push(pins[masks.length] ?? all);
  for (const change of changes) {
    if (change.resource === "memory") memory = change.size / MIB;
    if (change.resource === "max-memory" && change.size / MIB !== maxMemory) return null;
    if (change.resource === "max-vcpus" && change.count !== maxVcpus) return null;
    if (change.resource !== "vcpu-pin") continue;
    // One that leaves in the same set is pinned before it goes, one that is not there can't be.
    if (change.vcpu >= masks.length) return null;
    masks[change.vcpu] = change.cpus === "all" ? all : change.cpus;
  }
  if (wanted !== undefined) masks = masks.slice(0, wanted.count);
  return memory > maxMemory ? null : { memory, maxMemory, maxVcpus, masks };
}
