import { type BigIntStats, lstatSync, type Stats, statSync } from "node:fs";

/**
 * What is at a path itself, without following a link; undefined if nothing is, or if we may not look. Read at once, as everything that is
 * small and on a disk of this host: it takes a hundredth of the time that Node's threads take for it.
 */
export function statusAt(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}

/** The file that a path leads to, with exact numbers; undefined if there is none, or if we may not look. */
export function targetAt(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}
