import type { Stored } from "../../config/store.ts";
import { randomHex } from "../../digest.ts";
import { messageOf } from "../../errors.ts";
import { bootId } from "../../host/processes.ts";
import { disarm, nameOfTimer } from "../../host/timers.ts";
import { armTimer, dueOf, timerPlan, type TimerPlan } from "../ends/arm.ts";
import { describeEnd, isAsLeft } from "../ends/as-left.ts";
import type { ChangeEnd, EndItem, Ends } from "../ends/change-end.ts";
import { hasEnd, type Moment, momentOf } from "../ends/moment.ts";
import { isGone, isOf, readEnds, writeEnds } from "../ends/record.ts";
import { showMoment } from "../ends/show-moment.ts";
import type { LiveFacts } from "../facts/facts.ts";
import type { Refusal } from "../model/change.ts";
import { formatValue, kindOf, nameOf, type Resource } from "../resources/registry.ts";
import type { StepRecord } from "./apply.ts";
import type { ReportEnd } from "./change-report.ts";
import { endRefusals, noTimer } from "./end-refusals.ts";
import { recordOf } from "./journal.ts";
import { type Plan, threadsToCome } from "./plan.ts";
import type { TimedWork } from "./timed-work.ts";

/** What a change has to do with ends: its own, those of earlier changes that it takes the place of, and those that it cancels. */
export class TimedChange {
  readonly #work: TimedWork;
  readonly #kept: Ends;
  readonly #items: readonly EndItem[];
  readonly #timers: TimerPlan | null;
  readonly #moment: Moment | null;
  /** The timers that nothing needs any more. */
  readonly #spare: ChangeEnd[] = [];
  #entry: ChangeEnd | null = null;
  #caveat: string | undefined;
  /** The plan, with what speaks against the end. */
  readonly plan: Plan;

  private constructor(work: TimedWork, kept: Ends, end: { items: readonly EndItem[]; moment: Moment | null; timers: TimerPlan | null }) {
    this.#work = work;
    this.#kept = kept;
    this.plan = work.plan;
    this.#items = end.items;
    this.#moment = end.moment;
    this.#timers = end.timers;
  }

  /** @throws UsageError as `momentOf` does */
  static async of(work: TimedWork): Promise<TimedChange> {
    const { place, held, options, plan } = work;
    const kept = await readEnds(held.books);
    const none = { items: [], moment: null, timers: null };
    if (!hasEnd(options)) return new TimedChange(work, kept, none);
    const items = itemsOf(work, kept);
    const refusals = plan.refusals.length > 0 ? [] : endRefusals(work, items);
    const refuse = (more: readonly Refusal[]): TimedChange =>
      new TimedChange({ ...work, plan: { ...plan, refusals: [...plan.refusals, ...more], steps: [], text: null } }, kept, none);
    if (plan.refusals.length > 0 || refusals.length > 0) return refuse(refusals);
    const moment = momentOf(options, Date.now());
    if (items.length === 0) return new TimedChange(work, kept, { ...none, moment });
    const timers = await timerPlan(place, held.books);
    if (typeof timers === "string") return refuse([noTimer(timers, place, items, moment(Date.now()))]);
    return new TimedChange(work, kept, { items, moment, timers });
  }

  /** The end that is armed, for the record of the change. */
  get entry(): ChangeEnd | null {
    return this.#entry;
  }

  /** What the report says of the end, and what a dry run would come to. */
  get reported(): ReportEnd | undefined {
    const { options } = this.#work;
    if (this.#entry !== null) {
      const { key, due, timer } = this.#entry;
      return { key, until: due, timer: nameOfTimer(timer) };
    }
    if (options.dryRun !== true || this.#timers === null || this.#moment === null) return undefined;
    return { key: null, until: new Date(dueOf(this.#timers, this.#moment)).toISOString(), timer: this.#timers.kinds[0]?.name ?? "" };
  }

  /** What a dry run says of it. */
  forecast(): readonly string[] {
    const { reported } = this;
    if (reported !== undefined) return [`${describeEnd({ due: reported.until, items: this.#items })}; by a timer of ${reported.timer}`];
    return this.#moment === null ? [] : [NOTHING];
  }

  /**
   * Arms the timer, before anything is touched. If we die right after it, it finds no record of its end, and does nothing.
   *
   * @throws HostError when no timer can be armed
   */
  async arm(): Promise<void> {
    const { held, options, facts, scope, plan } = this.#work;
    const machine = held.machine?.process;
    if (this.#timers === null || this.#moment === null || machine === null || machine === undefined) return;
    const key = randomHex(12);
    const { timer, due, caveat } = await armTimer(this.#timers, key, 1, this.#moment);
    const { threads, own } = recordOf(scope, plan, facts, held.stored);
    const since = new Date().toISOString();
    const about = { key, due: new Date(due).toISOString(), since, timer, force: options.force === true };
    this.#entry = { ...about, machine, boot: bootId(), items: this.#items, threads, own };
    this.#caveat = caveat;
  }

  /**
   * Writes down what ends when, once the change is made and its record is there still: from then on the timer takes it back.
   *
   * @throws HostError when an end of its own can't be written down
   */
  async keep(notes: string[]): Promise<void> {
    const { held, plan, options } = this.#work;
    const own = new Set(this.#items.map(({ change }) => nameOf(change)));
    const next: ChangeEnd[] = [];
    for (const each of this.#kept.ends) {
      const isHere = !(await isGone(each));
      const items = !isHere ? [] : each.items.filter(({ change }) => !own.has(nameOf(change)) && !this.#isCancelled(change.resource));
      if (items.length > 0) next.push({ ...each, items });
      else this.#spare.push(each);
      if (isHere && each.key !== options.ofEnd) notes.push(...this.#cancelled(each), ...remarks(each, items, plan));
    }
    if (this.#entry !== null) next.push(this.#entry);
    const isSame = this.#entry === null && JSON.stringify(next) === JSON.stringify(this.#kept.ends);
    try {
      if (!isSame) await writeEnds(held.books, { ends: next, last: this.#kept.last });
    } catch (error) {
      if (this.#entry !== null) throw error;
      this.#spare.length = 0;
      notes.push(`the end of an earlier change could not be cancelled: ${messageOf(error)}`);
    }
    if (this.#entry !== null) notes.push(`${describeEnd(this.#entry)} (${nameOfTimer(this.#entry.timer)})`);
    else if (this.#moment !== null) notes.push(NOTHING);
    if (this.#caveat !== undefined) notes.push(this.#caveat);
  }

  /** After a failure: takes the timer away, or, where something of the change stays, sees to it that this ends as it was to. */
  async afterFailure(records: readonly StepRecord[], notes: string[]): Promise<void> {
    if (this.#entry === null) return;
    if (!records.some(({ outcome }) => STAYS.has(outcome))) {
      this.#spare.push(this.#entry);
      this.#entry = null;
      return;
    }
    this.#spare.length = 0;
    await this.keep(notes).catch((error: unknown) => notes.push(`what stays of this change does not end by itself: ${messageOf(error)}`));
  }

  /** Takes the timers away that nothing needs any more. One that stays finds no record of its end, and does nothing. */
  async disarm(notes: string[]): Promise<void> {
    for (const { timer } of this.#spare.splice(0))
      await disarm(timer).catch((error: unknown) =>
        notes.push(`${nameOfTimer(timer)} could not be taken away, and will find nothing to do: ${messageOf(error)}`),
      );
  }

  #isCancelled(resource: Resource): boolean {
    const { options, plan } = this.#work;
    const isLeft = plan.left?.some(({ change }) => change.resource === resource) === true;
    return !isLeft && (options.cancelsEnds === "all" || options.cancelsEnds === resource);
  }

  #cancelled({ due, items }: ChangeEnd): readonly string[] {
    const gone = items.filter(({ change }) => this.#isCancelled(change.resource)).map(({ change }) => nameOf(change));
    return gone.length === 0 ? [] : [`the end at ${showMoment(due)} is cancelled: ${gone.join(", ")}`];
  }
}

const NOTHING = "it is so already, and not by a change with an end: nothing is taken back later";

/** How a step has ended of which something stays. */
const STAYS: ReadonlySet<StepRecord["outcome"]> = new Set(["done", "pending", "failed", "undo-failed"]);

/** What a change leaves, and what was before. What an earlier change with an end has left goes back to what was before that one. */
function itemsOf({ plan, scope, facts, held }: TimedWork, { ends }: Ends): readonly EndItem[] {
  if (facts.live === null) return [];
  const live = facts as LiveFacts;
  const earlier = ends.filter((each) => isOf(each, held.machine?.process)).flatMap(({ items }) => items);
  const { changes } = recordOf(scope, plan, facts, held.stored as Stored | null);
  const coming = threadsToCome(
    plan.changes.map(({ change }) => change),
    live,
  );
  return plan.changes.flatMap(({ change, dynamic }, position): readonly EndItem[] => {
    // What a thread gets that the same set brings to life goes with that.
    const thread = kindOf(change).ofThreads?.thread(change);
    if (thread !== undefined && coming.has(thread)) return [];
    const first = earlier.find((item) => nameOf(item.change) === nameOf(change) && isAsLeft(item, live));
    const now = changes[position];
    if (dynamic === null || now === undefined || (!dynamic.needed && first === undefined)) return [];
    return [{ change, before: first?.before ?? now.live, back: first?.back ?? now.back }];
  });
}

/** What a change without an end means for an end that an earlier one has. */
function remarks({ due }: ChangeEnd, items: readonly EndItem[], plan: Plan): readonly string[] {
  return items.flatMap(({ change, before }) => {
    const name = nameOf(change);
    const now = plan.changes.find((each) => each.dynamic !== null && nameOf(each.change) === name);
    if (now === undefined) return [];
    const [left, wanted] = [kindOf(change).wanted(change), kindOf(now.change).wanted(now.change)];
    const when = `${name}: an earlier change of it ends at ${showMoment(due)}`;
    if (left === wanted) return [`${when}, and takes it back to ${formatValue(name, before)}; persist keeps it`];
    return [`${when}; that will not touch it, as it left it at ${formatValue(name, left)}`];
  });
}
