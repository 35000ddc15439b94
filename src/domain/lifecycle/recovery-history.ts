import type { StatePaths } from "../../config/runtime.ts";
import type { Report } from "../change/change-report.ts";
import { RefusedError } from "../change/errors.ts";
import type { HistoryChange } from "../change/history.ts";
import type { ActionRecord, Journal } from "../change/record.ts";
import { addNote, changesIn, tellAction, tellInterrupted } from "../change/telling.ts";
import { kindOf, nameOf } from "../resources/registry.ts";

/** What a recovery is about. */
interface Recovering {
  readonly domain: string;
  readonly books: StatePaths;
  readonly record: Journal | ActionRecord | null;
  /** As `finish`. */
  readonly how: string;
}

/** How it ended: its answer, or its error. */
type End = { readonly reports: readonly Report[]; readonly action?: { readonly done: string } } | object;

/**
 * Tells the history of a machine how a recovery ended, and before it the change that was interrupted: its own process could not. A refusal,
 * or an interrupt before anything was done (`reason`), leaves that as it was, and is not told.
 */
export async function tellRecovery({ domain, books, record, how }: Recovering, began: string, end: End, reason?: unknown): Promise<void> {
  if (end instanceof RefusedError || end === reason) return;
  const journal = record === null || "action" in record ? null : record;
  if (journal?.key !== undefined && journal.who !== undefined)
    await tellInterrupted(books, {
      key: journal.key,
      domain,
      who: journal.who,
      began: journal.since,
      ended: began,
      scope: journal.scope,
      changes: journal.changes.map((each) => interruptedChange(each, journal)),
    });
  const reports = "reports" in end ? (end.reports as readonly Report[]) : "report" in end ? [end.report as Report] : [];
  const action = "action" in end ? (end.action as { readonly done: string } | undefined) : undefined;
  const note = await tellAction(books, {
    what: "recover",
    domain,
    began,
    outcome: end instanceof Error ? "failed" : "done",
    about: end instanceof Error ? `${how}: ${end.message}` : action === undefined ? how : `${how}: ${action.done}`,
    recovers: journal?.key,
    changes: reports.flatMap(changesIn),
  });
  addNote(reports.at(-1) ?? {}, note);
}

/** What was wanted, and what is known of each half: how it was before. */
function interruptedChange({ change, config, live }: Journal["changes"][number], journal: Journal): HistoryChange {
  const wanted = kindOf(change).wanted(change);
  const half = (isMeant: boolean, before: HistoryChange["static"]["before"]): HistoryChange["static"] => ({
    outcome: isMeant ? "failed" : "skipped",
    before,
    wanted: isMeant ? wanted : null,
    actual: null,
  });
  return {
    name: nameOf(change),
    resource: change.resource,
    static: half(journal.config !== null, config),
    dynamic: half(live !== null && journal.scope !== "static", live),
  };
}
