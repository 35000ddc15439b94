import { UsageError } from "../../errors.ts";
import { type Change, kindOf, nameOf, RESOURCES } from "../resources/registry.ts";

/**
 * Checks the changes themselves, whatever the domain is like. @throws UsageError for a value that no machine could have, or a resource that
 * is asked for twice
 */
export function checkChanges(changes: readonly Change[]): void {
  for (const change of changes) {
    checkMembers(change);
    kindOf(change).check(change);
  }
  refuseTwice(changes);
  refuseClashes(changes);
}

/** What types rule out, as JavaScript does not know them: a change of no resource, or one whose members are something else. */
function checkMembers(change: Change): void {
  const { resource } = change;
  if (!RESOURCES.includes(resource))
    throw new UsageError(`${JSON.stringify(resource) ?? "undefined"}: no such resource`, {
      value: resource,
      expected: `one of ${RESOURCES.join(", ")}`,
    });
  for (const [member, type] of Object.entries(kindOf(change).members)) {
    const value = (change as unknown as Readonly<Record<string, unknown>>)[member];
    if (typeof value !== (type === "number" ? "number" : "string"))
      throw new UsageError(`${resource}: its member ${member} is ${shown(value)}, not a ${type}`, { value, expected: `a ${type}` });
  }
}

function shown(value: unknown): string {
  return value === undefined
    ? "missing"
    : typeof value === "bigint"
      ? String(value)
      : (JSON.stringify(value)?.slice(0, 60) ?? typeof value);
}

/** A resource can't have two values. */
function refuseTwice(changes: readonly Change[]): void {
  const seen = new Set<string>();
  for (const name of changes.map(nameOf)) {
    if (seen.has(name))
      throw new UsageError(`${name}: asked for twice in one set of changes`, { value: name, expected: "each resource once" });
    seen.add(name);
  }
}

/** Nor can two of them say different things of the same vCPUs. */
function refuseClashes(changes: readonly Change[]): void {
  for (const change of changes.filter((each) => kindOf(each).clash !== undefined))
    for (const other of changes) {
      const why = change === other ? null : (kindOf(change).clash?.(change, other) ?? null);
      if (why !== null) throw new UsageError(`${nameOf(change)}: ${why}`, { value: nameOf(other), expected: "one of them" });
    }
}
