import type { LaunchConfig } from "../../config/launch.ts";
import { readHostMemory } from "../facts/host-memory.ts";
import type { LiveReader } from "../facts/live.ts";
import { bringsThreads, type Change, firstThose, kindOf, readersOf, RESOURCES } from "./registry.ts";
import type { ResourceKind } from "./resource.ts";

/** Every kind of resource, in the order of tables: for what is about all of them. Who needs those of some changes asks `kindOf`. */
export const KINDS: readonly ResourceKind<Change>[] = RESOURCES.map((resource) => kindOf({ resource })).toSorted(
  (one, other) => one.row - other.row,
);

/** The kinds with the maxima first, as `maximaFirst` has changes. */
export const MAXIMA_FIRST: readonly ResourceKind<Change>[] = firstThose(KINDS, ({ isMaximum }) => isMaximum === true);

/** The kinds with those that bring threads to life first. */
export const THREADS_FIRST: readonly ResourceKind<Change>[] = firstThose(KINDS, bringsThreads);

/** What reads all that any resource needs to know of a running machine. */
export const ALL_READERS: readonly LiveReader[] = readersOf(KINDS);

/**
 * What reads what a start has to know of the machine: that of the resources to which the config has something to say, by their group. Not
 * the host's part: no guest has used memory yet, and the kernel takes long to count what was allocated before.
 */
export function startReaders(config: LaunchConfig): readonly LiveReader[] {
  const kinds = KINDS.filter(({ atStart, inFile: { path } }) => atStart !== undefined && Object.hasOwn(config, path[0]));
  return readersOf(kinds).filter((read) => read !== readHostMemory);
}
