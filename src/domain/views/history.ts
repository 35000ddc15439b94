import { statePaths } from "../../config/runtime.ts";
import { readSafely } from "../../config/safe-file.ts";
import { isErrorCode } from "../../errors.ts";
import { HISTORY_LIMIT, type HistoryEntry, olderHistory } from "../change/history.ts";
import { likelyKey } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";

export type { Caller } from "../machine/caller.ts";
export type { Deed, HistoryChange, HistoryEntry, HistoryHalf } from "../change/history.ts";

/** Options of `history`. */
export interface HistoryOptions extends ReadOptions {
  /** No more than the last so many; all by default. */
  readonly last?: number | undefined;
  /** No more than what ended in the last so many milliseconds. */
  readonly within?: number | undefined;
}

/** What was done to a machine, as far as its history goes back. */
export interface History {
  /** The oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** How many lines can't be read: they were torn by a full disk or a power failure, or somebody else wrote them. */
  readonly unreadable: number;
}

/** Twice as much as a file may have: one line is added before the next file is begun. */
const LIMIT = 2 * HISTORY_LIMIT;

/**
 * What was done to a machine by this program, on this host and by its owner. It takes no lock.
 *
 * @throws ConfigError when the config can't be read, or the history is not this user's
 */
export async function historyOf(place: Place, { last = Infinity, within }: HistoryOptions = {}): Promise<History> {
  const { history: path } = statePaths(place.folders, await likelyKey(place));
  const texts = await Promise.all([olderHistory(path), path].map(readIfThere));
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line !== "");
  const read = lines.map(entryIn);
  const since = within === undefined ? "" : new Date(Date.now() - within).toISOString();
  // A change whose process died after its line, and before its journal was gone, has a second one from its recovery.
  const keys = new Set<string>();
  const isFirst = ({ key }: HistoryEntry): boolean => !keys.has(key) && keys.add(key) === keys;
  const entries = read.filter((each) => each !== undefined).filter(isFirst);
  const meant = entries.filter(({ ended }) => ended >= since);
  return { entries: meant.slice(Math.max(0, meant.length - last)), unreadable: read.filter((each) => each === undefined).length };
}

async function readIfThere(path: string): Promise<string> {
  try {
    return (await readSafely(path, LIMIT)).text;
  } catch (error) {
    if (isErrorCode(error, "config") && "problem" in error && error.problem === "missing") return "";
    throw error;
  }
}

const TEXTS = ["key", "what", "domain", "began", "ended", "outcome"] as const;

/** The entry of a line; undefined where it is none. */
function entryIn(line: string): HistoryEntry | undefined {
  try {
    const found = JSON.parse(line) as Partial<Record<string, unknown>> | null;
    if (typeof found !== "object" || found === null || TEXTS.some((name) => typeof found[name] !== "string")) return undefined;
    const { who, changes } = found;
    const isOurs = typeof who === "object" && who !== null && (changes === undefined || Array.isArray(changes));
    return isOurs ? (found as unknown as HistoryEntry) : undefined;
  } catch {
    return undefined;
  }
}
