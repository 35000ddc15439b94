import { hasEnds } from "../ends/record.ts";
import type { Facts } from "../facts/facts.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { ALL_READERS, KINDS, MAXIMA_FIRST, THREADS_FIRST } from "../resources/kinds.ts";
import type { Change, Resource } from "../resources/registry.ts";
import type { DiffRow } from "../resources/row.ts";

/** Config, live and guest side by side, and why they differ. */
export async function diffDomain(place: Place, options: ReadOptions = {}): Promise<readonly DiffRow[]> {
  const { facts, books } = await readBoth(place, { ...options, readers: ALL_READERS });
  const rows = diffOf(facts);
  return hasEnds(books) ? (await import("./ends.ts")).withEnds(rows, books, facts) : rows;
}

/** See `diffDomain`; pure. */
export function diffOf(facts: Facts): readonly DiffRow[] {
  return KINDS.flatMap((kind) => kind.rows(facts));
}

/** The changes that make the live machine equal its config, as far as a running machine can be changed. */
export function changesToRevert(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  // First what brings threads to life: the others may be about those.
  return THREADS_FIRST.flatMap((kind) => kind.revert?.({ ...facts, config, live }) ?? []);
}

/** The changes that make one side equal the other, of one resource where one is named. */
export function changesOf(
  changes: (facts: Facts) => readonly Change[],
  resource: Resource | undefined,
): (facts: Facts) => readonly Change[] {
  return resource === undefined ? changes : (facts) => changes(facts).filter((change) => change.resource === resource);
}

/** The changes that make the config equal the live machine: maxima first, which the others have to fit in. */
export function changesToPersist(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  return MAXIMA_FIRST.flatMap((kind) => kind.persist({ ...facts, config, live }));
}
