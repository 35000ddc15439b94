import type { Deadline } from "../../deadline.ts";
import { now } from "../../deadline.ts";
import type { Facts } from "../facts/facts.ts";
import type { ConfigReader } from "../facts/images.ts";
import type { LiveReader } from "../facts/live.ts";
import type { Held } from "../machine/lock.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import type { WaitNotice } from "../machine/wait-notice.ts";
import type { Scope } from "../model/change.ts";
import type { Work } from "../resources/step.ts";
import { recordsOf, type StepRecord } from "./apply.ts";
import { Bookkeeping } from "./bookkeeping.ts";
import type { LockedOptions } from "./locked-options.ts";
import type { Plan } from "./plan.ts";
import type { TimedChange } from "./timed-change.ts";

/** What one change works with once it is planned. */
export interface Context {
  readonly place: Place;
  readonly held: Held;
  readonly options: LockedOptions;
  readonly scope: Scope;
  /** Null if the machine does not run, or does not answer. */
  readonly monitor: Monitor | null;
  readonly facts: Facts;
  readonly readers: readonly LiveReader[];
  /** Reads what the changes need of the files that the config names. */
  readonly onConfig: ConfigReader | undefined;
  readonly plan: Plan;
  readonly deadline: Deadline;
  readonly notice: WaitNotice;
  /** The steps of the plan, and how far each has come. */
  readonly records: readonly StepRecord[];
  readonly books: Bookkeeping;
  /** What it has to do with changes that end by themselves; null for one that has nothing to do with any. */
  readonly ends: TimedChange | null;
  /** What the report has to say besides. */
  readonly notes: string[];
  /** When the work began, by the clock of `now()`, and in ISO 8601. */
  readonly start: number;
  readonly began: string;
}

/** Begins the work on a plan. */
export function contextOf(planned: Omit<Context, "records" | "books" | "notes" | "start" | "began">): Context {
  const { place, held, options, monitor, plan } = planned;
  const notes: string[] = [];
  const records = recordsOf(plan.steps);
  const books = new Bookkeeping({
    ...planned,
    domain: place.name,
    paths: held.books,
    stored: held.stored,
    process: monitor?.target.machine.process ?? null,
    records,
    resolving: options.resolving === true,
    tell: (note) => notes.push(note),
  });
  return { ...planned, records, books, notes, start: now(), began: new Date().toISOString() };
}

/** What the live steps work with. */
export function workOf({ monitor, facts: { live }, readers, deadline, options, notice }: Context): Work {
  if (monitor === null || live === null) throw new Error("a plan with live steps for a machine that is not there");
  const onProgress = options.onProgress === undefined ? undefined : notice.onProgress;
  return { monitor, live, readers, deadline, signal: options.signal, onProgress };
}
