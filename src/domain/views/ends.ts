import { statePaths, type StatePaths } from "../../config/runtime.ts";
import { nameOfTimer } from "../../host/timers.ts";
import { describeItem, isAsLeft } from "../ends/as-left.ts";
import type { ChangeEnd, EndItem, LastEnd } from "../ends/change-end.ts";
import { isGone, readEnds } from "../ends/record.ts";
import { showMoment } from "../ends/show-moment.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { likelyKey } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import type { Value } from "../model/change.ts";
import { formatValue, kindOf, nameOf } from "../resources/registry.ts";
import type { DiffRow } from "../resources/row.ts";

/** A change of the running machine that ends by itself. */
export interface EndInfo {
  /** What names it, as in `revert web1 --end KEY`. */
  readonly key: string;
  /** ISO 8601, in UTC. */
  readonly until: string;
  /** The timer of the host's that sees to it. */
  readonly timer: string;
  /** In words, as `memory 4GiB, then 2GiB again`. */
  readonly what: string;
  readonly items: readonly {
    /** As in tables: `memory`, `vcpu-pin 0`. */
    readonly resource: string;
    /** What the change left, and what it goes back to. */
    readonly left: Value;
    readonly then: Value;
  }[];
  /** It should be over: its timer did not run, or the end failed. */
  readonly overdue?: true;
  /** Why it could not be taken back, the last time that was tried. */
  readonly failure?: string;
}

/** How the last end of a change went, of this machine. */
export type { LastEnd } from "../ends/change-end.ts";

/** What `info` says of changes that end by themselves. */
export interface EndsInfo {
  readonly ends?: readonly EndInfo[];
  readonly lastEnd?: LastEnd;
  /** Why it is not known which changes end by themselves: their record can't be read. */
  readonly endsUnreadable?: string;
}

/** How late a timer may be before that is told, in milliseconds. */
const LATE = 120_000;

/** The changes of a machine that end by themselves, and how the last one did. */
export async function endsInfo(books: StatePaths): Promise<EndsInfo> {
  const { ends, last, unreadable } = await readEnds(books);
  if (unreadable !== undefined) return { endsUnreadable: unreadable };
  const there = await here(ends);
  return { ...(there.length === 0 ? {} : { ends: there.map(infoOf) }), ...(last === null ? {} : { lastEnd: last }) };
}

async function here(ends: readonly ChangeEnd[]): Promise<readonly ChangeEnd[]> {
  const areGone = await Promise.all(ends.map(isGone));
  return ends.filter((_, position) => !areGone[position]);
}

function infoOf({ key, due, timer, items, failure }: ChangeEnd): EndInfo {
  return {
    ...{ key, until: due, timer: nameOfTimer(timer), what: items.map(describeItem).join("; ") },
    items: items.map(({ change, before }) => ({ resource: nameOf(change), left: kindOf(change).wanted(change), then: before })),
    ...(Date.now() > Date.parse(due) + LATE ? { overdue: true } : {}),
    ...(failure === undefined ? {} : { failure: `${failure.at}: ${failure.why}` }),
  };
}

/** Until when a thing is as a change with an end left it, in ISO 8601; null if no end will take it back. */
export async function untilWhen(name: string, books: StatePaths, { live, ...facts }: Facts): Promise<string | null> {
  if (live === null) return null;
  const isMeant = ({ change }: EndItem): boolean => nameOf(change) === name && isAsLeft({ change }, { ...facts, live });
  return (await here((await readEnds(books)).ends)).find(({ items }) => items.some(isMeant))?.due ?? null;
}

/** The keys of the changes of a machine that end by themselves, as far as the books say: no machine is asked. */
export async function endsOf(place: Place): Promise<readonly string[]> {
  const books = statePaths(place.folders, await likelyKey(place));
  return (await readEnds(books)).ends.map(({ key }) => key);
}

/** Says of each row of `diff` until when it is so, where a change with an end made it so and nobody has changed it since. */
export async function withEnds(rows: readonly DiffRow[], books: StatePaths, facts: Facts): Promise<readonly DiffRow[]> {
  const { live } = facts;
  if (live === null) return rows;
  const now: LiveFacts = { ...facts, live };
  const items = (await here((await readEnds(books)).ends)).flatMap(({ due, items: all }) => all.map((item) => ({ due, ...item })));
  return rows.map((row) => {
    const item = items.find(({ change }) => nameOf(change) === row.resource);
    if (item === undefined || !isAsLeft(item, now)) return row;
    const why = `until ${showMoment(item.due)}, then ${formatValue(row.resource, item.before)} again`;
    return { ...row, until: item.due, then: item.before, why: row.why === null ? why : `${why}; ${row.why}` };
  });
}
