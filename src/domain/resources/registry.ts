import { formatSize } from "../../config/size.ts";
import { readHostMemory } from "../facts/host-memory.ts";
import type { LiveReader } from "../facts/live.ts";
import type { Value } from "../model/change.ts";
import * as ALL from "./all.ts";
import type { ResourceKind } from "./resource.ts";
import type { StepKind } from "./step-kind.ts";
import type { Step } from "./step.ts";

type Kinds = typeof ALL;

/** One wanted change of allocation: of each resource in the registry, its own shape. */
export type Change = { readonly [K in keyof Kinds]: Kinds[K] extends ResourceKind<infer C, infer _> ? C : never }[keyof Kinds];

/** The name of a resource whose allocation can be changed. */
export type Resource = Change["resource"];

/** The names of all resources. */
export const RESOURCES = Object.keys(ALL) as readonly Resource[];

/** Every kind of step of the resources that were asked for, by its name: a step is of a resource that was. */
const STEP_KINDS = new Map<string, StepKind<Step>>();

/** What reads what these kinds need to know of a running machine, besides what is always read. */
export function readersOf(kinds: readonly ResourceKind<Change>[]): readonly LiveReader[] {
  return [...new Set(kinds.flatMap(({ reads = [], movesHostMemory }) => (movesHostMemory === true ? [...reads, readHostMemory] : reads)))];
}

/** What there is to know of a change's resource. @throws TypeError for a change of none, which types rule out */
export function kindOf({ resource }: Pick<Change, "resource">): ResourceKind<Change> {
  if (!isResource(resource)) throw new TypeError(`${resource}: no such resource`);
  const kind = ALL[resource] as unknown as ResourceKind<Change>;
  for (const each of kind.stepKinds) STEP_KINDS.set(each.kind, each);
  return kind;
}

/** Those items first, then the others, each in the order that they have. */
export function firstThose<T>(items: readonly T[], are: (item: T) => boolean): readonly T[] {
  return [...items.filter(are), ...items.filter((item) => !are(item))];
}

/** A value may follow its maximum, so maxima come first: then a value that was asked for by name counts. */
export function maximaFirst(changes: readonly Change[]): readonly Change[] {
  return firstThose(changes, (change) => kindOf(change).isMaximum === true);
}

/** Whether steps of this kind of resource bring threads to life, which others may be about. */
export function bringsThreads({ stepKinds }: ResourceKind<Change>): boolean {
  return stepKinds.some(({ brings }) => brings !== undefined);
}

/** The resources of what the threads have that these changes bring to life. */
export function threadKinds(changes: readonly Change[]): readonly ResourceKind<Change>[] {
  const names = new Set(changes.flatMap((change) => kindOf(change).threadsHave ?? []));
  return [...names].map((resource) => kindOf({ resource: resource as Resource }));
}

/** The name of a change's place in tables: `memory`, `vcpu-pin 0`. */
export function nameOf(change: Change): string {
  return kindOf(change).label(change);
}

/** The same change with another value. */
export function withValue(change: Change, value: number | string): Change {
  return kindOf(change).withValue(change, value) as Change;
}

function isResource(name: string): name is Resource {
  return Object.hasOwn(ALL, name);
}

/** What the values at a place in tables are. */
export function unitOf(label: string): ResourceKind<Change>["unit"] | null {
  const [resource = ""] = label.split(" ");
  // Only shown, beside the resource that it belongs to.
  if (resource === "guest-memory") return "bytes";
  return isResource(resource) ? kindOf({ resource }).unit : null;
}

/** A value as a person reads it, by the name of its place in tables: sizes and times with their unit, nothing as a dash. */
export function formatValue(label: string, value: Value): string {
  if (value === null) return "-";
  const unit = typeof value === "number" ? unitOf(label) : null;
  return unit === "bytes" ? formatSize(Number(value)) : unit === "seconds" ? `${value} s` : String(value);
}

type Parts = { readonly [K in keyof Kinds]: Kinds[K] extends ResourceKind<never, infer W> ? W : never }[keyof Kinds];
type Keys<U> = U extends unknown ? keyof U : never;
type At<U, K extends PropertyKey> = U extends { readonly [P in K]: infer V } ? V : never;

/** A wanted allocation, as much of it as is to be changed. Sizes have a unit (`1GiB`); a pin of null means all CPUs. */
export type WantedAllocation = {
  readonly [G in Keys<Parts>]?: { readonly [K in Keys<At<Parts, G>>]?: At<At<Parts, G>, K> | undefined } | undefined;
};

/** How a step of this kind is done. @throws TypeError for a kind of no resource, which the registry rules out */
export function stepKindOf(step: Step): StepKind<Step> {
  if (!STEP_KINDS.has(step.kind)) for (const resource of RESOURCES) kindOf({ resource });
  const kind = STEP_KINDS.get(step.kind);
  if (kind === undefined) throw new TypeError(`${step.kind}: no such step`);
  return kind;
}
