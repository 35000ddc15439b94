import { statePaths } from "../../config/runtime.ts";
import { readSafely } from "../../config/safe-file.ts";
import { isErrorCode } from "../../errors.ts";
import { automaticHistory, HISTORY_LIMIT, type HistoryEntry, olderHistory } from "../change/history.ts";
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
  const automatic = automaticHistory(path);
  const texts = await Promise.all([olderHistory(path), path, olderHistory(automatic), automatic].map(readIfThere));
  const lines = texts.flatMap((text) => text.split("\n")).filter((line) => line !== "");
  const read = lines.map(entryIn);
  // A time before all times, as 99999999h ago, is no date; and nothing is older than the clock.
  const since = within !== undefined && within < Date.now() ? new Date(Date.now() - Math.max(0, within)).toISOString() : "";
  // A change whose process died after its line, and before its journal was gone, has a second one from its recovery.
  const keys = new Set<string>();
  const isFirst = ({ key }: HistoryEntry): boolean => !keys.has(key) && keys.add(key) === keys;
  const entries = read.filter((each) => each !== undefined).filter(isFirst);
  // In the order in which they were written, each; a clock that was set back changes that only where two files are told as one.
  if (entries.some((each) => each.automatic)) entries.sort((one, other) => Date.parse(one.ended) - Date.parse(other.ended));
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
    return isOurs(found) ? (found as unknown as HistoryEntry) : undefined;
  } catch {
    return undefined;
  }
}

type Found = Partial<Record<string, unknown>>;

/** Whether all is there that is shown of an entry, so that no line that somebody else wrote hides the others. */
function isOurs({ who, changes, began, ended, more, about }: Found): boolean {
  const isTime = (time: unknown): boolean => !Number.isNaN(Date.parse(String(time)));
  const isMaybe = (value: unknown, type: string): boolean => value === undefined || typeof value === type;
  if (!isObject(who) || typeof who["uid"] !== "number" || !isTime(began) || !isTime(ended)) return false;
  const areTexts = [who["user"], who["sudo"], who["from"], about].every((text) => isMaybe(text, "string"));
  return areTexts && isMaybe(more, "number") && (changes === undefined || (Array.isArray(changes) && changes.every(isChange)));
}

function isChange(change: unknown): boolean {
  if (!isObject(change) || typeof change["name"] !== "string" || typeof change["resource"] !== "string") return false;
  return [change["static"], change["dynamic"]].every(
    (half) => isObject(half) && typeof half["outcome"] === "string" && [half["before"], half["wanted"], half["actual"]].every(isValue),
  );
}

function isObject(value: unknown): value is Found {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isValue(value: unknown): boolean {
  return value === null || typeof value === "number" || typeof value === "string";
}
