import type { StatePaths } from "../../config/runtime.ts";
import { randomHex } from "../../digest.ts";
import { messageOf } from "../../errors.ts";
import { caller } from "../machine/caller.ts";
import { nameOf } from "../resources/registry.ts";
import type { Report } from "./change-report.ts";
import type { Context } from "./context.ts";
import { appendHistory, type Deed, type HistoryChange, type HistoryEntry } from "./history.ts";

/** A report, or what else has notes for the user. */
interface Noted {
  readonly notes: readonly string[];
}

/**
 * Ends a change: tells the machine's history, then who keeps the outcome for others, and removes the journal last. So a change that is
 * over has its line, or its journal, also if this process dies in between. What can't be written down is noted in the report: that is no
 * failure of the change.
 */
export async function closed<T extends object>(change: Context, make: () => Promise<T>): Promise<T> {
  const made = make();
  const outcome = await made.catch((error: unknown) => error as object);
  if (change.options.resolving !== true && (change.records.length > 0 || change.plan.text !== null))
    addNote(outcome, await tell(change.held.books, entryOf(change, outcome)));
  const before = change.notes.length;
  try {
    await change.options.onEnded?.(outcome);
  } finally {
    await change.books.closeJournal();
    await change.ends?.disarm(change.notes);
    for (const note of change.notes.slice(before)) addNote(outcome, note);
  }
  return made;
}

/** What is told of an action on a whole machine besides how it ended. */
interface Action {
  readonly what: Deed;
  readonly domain: string;
}

/** Does something with a whole machine, and tells its history how that ended. Call it under the machine's lock. @throws what that throws */
export async function told<T>(books: StatePaths, action: Action, work: () => Promise<T>, about?: (value: T) => string): Promise<T> {
  const began = new Date().toISOString();
  try {
    const value = await work();
    const note = await tellAction(books, { ...action, began, outcome: "done", about: about?.(value) });
    if (typeof value === "object" && value !== null) addNote(value, note);
    return value;
  } catch (error) {
    await tellAction(books, { ...action, began, outcome: "failed", about: messageOf(error) });
    throw error;
  }
}

/** An action that is over. */
export interface ActionEnd extends Action {
  readonly began: string;
  readonly outcome: HistoryEntry["outcome"];
  readonly about?: string | undefined;
  readonly recovers?: string | undefined;
  readonly changes?: readonly HistoryChange[];
}

/** Tells a history of an action that is over. Returns what to tell the user if it could not be written. */
export function tellAction(
  books: StatePaths,
  { about, recovers, ...end }: ActionEnd,
  options: { readonly mayRotate?: boolean } = {},
): Promise<string | null> {
  const more = { ...(about === undefined ? {} : { about }), ...(recovers === undefined ? {} : { recovers }) };
  return tell(books, { key: randomHex(16), who: caller(), ended: new Date().toISOString(), ...end, ...more }, options);
}

/** Tells a history of a change whose process died, for it. That it can't be told is told of what was done about it. */
export async function tellInterrupted(books: StatePaths, entry: Omit<HistoryEntry, "what" | "outcome" | "about">): Promise<void> {
  await tell(books, { ...entry, what: "change", outcome: "failed", about: `interrupted: process ${entry.who.pid} ended during it` });
}

/** Adds a note to a report, or to that of an error; to what has no notes, nothing. */
export function addNote(outcome: object, note: string | null): void {
  const report = "report" in outcome ? (outcome.report as object | undefined) : outcome;
  if (note !== null && report !== undefined && "notes" in report) Object.assign(report, { notes: [...(report as Noted).notes, note] });
}

/** The changes of a report in which something was done, or tried. */
export function changesIn({ changes }: Report): readonly HistoryChange[] {
  return changes
    .filter((each) => [each.static, each.dynamic].some(({ outcome }) => outcome !== "unchanged" && outcome !== "skipped"))
    .map(({ change, static: config, dynamic }) => ({
      name: nameOf(change),
      resource: change.resource,
      static: half(config),
      dynamic: half(dynamic),
    }));
}

function half({ outcome, before, wanted, actual }: HistoryChange["static"]): HistoryChange["static"] {
  return { outcome, before, wanted, actual };
}

function entryOf({ books, place, scope, began, options }: Context, outcome: object): HistoryEntry {
  const report = ("report" in outcome ? outcome.report : outcome) as Partial<Report>;
  const known = report.changes === undefined ? undefined : (report as Report);
  return {
    key: books.key,
    what: "change",
    domain: place.name,
    who: caller(),
    began,
    ended: new Date().toISOString(),
    outcome: known === undefined ? "failed" : (known.outcome as HistoryEntry["outcome"]),
    scope,
    changes: known === undefined ? [] : changesIn(known),
    ...(outcome instanceof Error ? { about: messageOf(outcome) } : {}),
    ...(options.automatic === true ? { automatic: true } : {}),
  };
}

async function tell(books: StatePaths, entry: HistoryEntry, { mayRotate = true } = {}): Promise<string | null> {
  try {
    await appendHistory(books, entry, mayRotate);
    return null;
  } catch (error) {
    return `the history does not tell this: ${messageOf(error)}`;
  }
}
