import { randomHex } from "../../digest.ts";
import { messageOf } from "../../errors.ts";
import { disarm } from "../../host/timers.ts";
import type { Journal } from "../change/record.ts";
import { armTimer, timerPlan } from "../ends/arm.ts";
import { describeEnd } from "../ends/as-left.ts";
import type { ChangeEnd } from "../ends/change-end.ts";
import { isGone, readEnds, writeEnds } from "../ends/record.ts";
import { showMoment } from "../ends/show-moment.ts";
import type { Held } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { nameOf } from "../resources/registry.ts";

/** How soon an end comes that was due while its change was interrupted, in milliseconds. */
const SOON = 60_000;

/**
 * What becomes of the end of an interrupted change when that is resolved: what is taken back needs none; what is finished, or stays as it
 * is, ends as it was to. Before the record of the change is removed.
 *
 * @returns what there is to say of it; undefined for a change without an end
 */
export async function settleEnd(
  place: Place,
  held: Held,
  { end }: Pick<Journal, "end">,
  how: "finish" | "undo" | "forget",
): Promise<string | undefined> {
  if (end === undefined) return undefined;
  if (how === "undo" || (await isGone(end))) {
    await disarm(end.timer).catch(() => undefined);
    return `its end at ${showMoment(end.due)} is cancelled`;
  }
  const { own, note } = await stillToCome(place, held, end);
  const kept = await readEnds(held.books);
  const named = new Set(own.items.map(({ change }) => nameOf(change)));
  const others = kept.ends.map((each) => ({ ...each, items: each.items.filter(({ change }) => !named.has(nameOf(change))) }));
  const gone = others.filter(({ items, key }) => items.length === 0 && key !== own.key);
  await writeEnds(held.books, { ...kept, ends: [...others.filter(({ items }) => items.length > 0), own] });
  for (const { timer } of gone) await disarm(timer).catch(() => undefined);
  return note ?? describeEnd(own);
}

/** An end that was due meanwhile has a timer that has fired: it gets a new one. */
async function stillToCome(place: Place, held: Held, end: ChangeEnd): Promise<{ readonly own: ChangeEnd; readonly note?: string }> {
  if (Date.parse(end.due) > Date.now()) return { own: end };
  const was = `its end was due at ${showMoment(end.due)}`;
  try {
    const plan = await timerPlan(place, held.books);
    if (typeof plan === "string") throw new Error(plan);
    const key = randomHex(12);
    const { timer, due } = await armTimer(plan, key, 1, (now) => now + SOON);
    return { own: { ...end, key, timer, due: new Date(due).toISOString() }, note: `${was}, and comes at ${showMoment(due)}` };
  } catch (error) {
    const why = `${was}, and no timer can be armed for it now: ${messageOf(error)}`;
    return { own: { ...end, failure: { at: new Date().toISOString(), why } }, note: why };
  }
}
