import type { Value } from "../model/change.ts";
import * as ALL from "./all.ts";
import type { ResourceKind } from "./resource.ts";

type Kinds = typeof ALL;

/** One wanted change of allocation: of each resource in the registry, its own shape. */
export type Change = { readonly [K in keyof Kinds]: Kinds[K] extends ResourceKind<infer C> ? C : never }[keyof Kinds];

/** The name of a resource whose allocation can be changed. */
export type Resource = Change["resource"];

/** Every kind of resource, in the order of tables. */
export const KINDS: readonly ResourceKind<Change>[] = (Object.values(ALL) as unknown as readonly ResourceKind<Change>[]).toSorted(
  (one, other) => one.row - other.row,
);

const BY_NAME: ReadonlyMap<string, ResourceKind<Change>> = new Map(KINDS.map((kind) => [kind.resource, kind]));

/** What there is to know of a change's resource. @throws TypeError for a change of none, which types rule out */
export function kindOf({ resource }: Pick<Change, "resource">): ResourceKind<Change> {
  const kind = BY_NAME.get(resource);
  if (kind === undefined) throw new TypeError(`${resource}: no such resource`);
  return kind;
}

/** The name of a change's place in tables: `memory`, `vcpu-pin 0`. */
export function nameOf(change: Change): string {
  return kindOf(change).label(change);
}

/** The same change with another value. */
export function withValue(change: Change, value: number | string): Change {
  return kindOf(change).withValue(change, value);
}

/** A value as a person reads it, by the name of its place in tables: sizes with their unit, nothing as a dash. */
export function formatValue(label: string, value: Value): string {
  if (value === null) return "-";
  return BY_NAME.get(label.split(" ")[0] ?? "")?.format(value) ?? String(value);
}
