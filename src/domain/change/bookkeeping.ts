import type { StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { randomHex } from "../../digest.ts";
import { messageOf } from "../../errors.ts";
import type { ProcessIdentity } from "../../host/signal.ts";
import type { ChangeEnd } from "../ends/change-end.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { type Going, writeNotes } from "../facts/notes.ts";
import { caller } from "../machine/caller.ts";
import type { Scope } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { stepKindOf } from "../resources/registry.ts";
import type { StepRecord } from "./apply.ts";
import { recordOf, removeRecord, writeRecord } from "./journal.ts";
import { notesAfter } from "./notes-after.ts";
import type { Plan } from "./plan.ts";

/** What the books of one change are kept for. */
export interface BookkeepingOptions {
  readonly domain: string;
  readonly paths: StatePaths;
  readonly stored: Stored | null;
  /** The QEMU that is worked on; null if its process is not known here, or it does not run. */
  readonly process: ProcessIdentity | null;
  readonly facts: Facts;
  readonly scope: Scope;
  readonly plan: Plan;
  /** The steps of the plan, and how far each has come by now. */
  readonly records: readonly StepRecord[];
  /** The end that the change has, if it has one. */
  readonly ends: { readonly entry: ChangeEnd | null } | null;
  /** There is a journal already, of the change that this one resolves: it stays as it is. */
  readonly resolving: boolean;
  /** Takes a note for the report, if something could not be written down. */
  readonly tell: (note: string) => void;
}

/**
 * What one change writes down about itself. The journal says what is wanted and how both halves were before: if one is found under the
 * lock, its writer died. The notes say what the guest was asked for and may still do: QEMU can't be asked for that later.
 */
export class Bookkeeping {
  readonly #of: BookkeepingOptions;
  /** By what the journal and the history call the change. */
  readonly key: string = randomHex(16);

  constructor(options: BookkeepingOptions) {
    this.#of = options;
  }

  /** S7 Journal: writes it, flushed to disk. A change without live steps needs none: its commit is one rename. @throws HostError */
  async openJournal(): Promise<void> {
    const { paths, stored, process, facts, scope, plan, records, resolving, ends } = this.#of;
    if (records.length === 0 || resolving) return;
    const end = ends?.entry ?? undefined;
    const record = { ...recordOf(scope, plan, facts, stored), key: this.key, who: caller(), ...(end === undefined ? {} : { end }) };
    await writeRecord(paths, record, stored, process);
  }

  /** Removes the journal: the change is done, or taken back. */
  async closeJournal(): Promise<void> {
    const { domain, paths, resolving, tell } = this.#of;
    if (resolving) return;
    // A leftover journal must not turn a finished change into a failure.
    await removeRecord(paths).catch((error: unknown) =>
      tell(`the record of this change stays, see qmpctl recover ${shellWord(domain)}: ${messageOf(error)}`),
    );
  }

  /**
   * S8 Notes, before QEMU is asked: what was asked by now, and what is only about to be asked. If we die in between, the next reader finds
   * out from the machine which of it was asked.
   */
  async noteIntent(): Promise<void> {
    const { facts, records } = this.#of;
    const planned = records.filter(({ outcome }) => outcome === "planned");
    if (planned.length === 0) return this.noteDone();
    const begun = records.map((record): StepRecord => (record.outcome === "planned" ? { ...record, outcome: "pending" } : record));
    await this.#write({
      asked: notesAfter(facts as LiveFacts, begun),
      plugging: planned.flatMap(({ step }) => stepKindOf(step).brings?.(step) ?? []).filter((each) => typeof each === "number"),
    });
  }

  /** S8 Notes, after the work: what was asked, however it ended. */
  noteDone(): Promise<void> {
    return this.#write(undefined);
  }

  async #write(going: Going | undefined): Promise<void> {
    const { paths, process, facts, records, tell } = this.#of;
    await writeNotes(paths, process, notesAfter(facts as LiveFacts, records), going).catch((error: unknown) =>
      tell(`what was asked of the guest could not be noted: ${messageOf(error)}`),
    );
  }
}
