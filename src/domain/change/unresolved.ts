import type { StatePaths } from "../../config/runtime.ts";
import { type Stored, sweepLeftovers } from "../../config/store.ts";
import { deadlineIn } from "../../deadline.ts";
import { LockedError } from "../../host/lock.ts";
import { commandOf, isAlive } from "../../host/threads.ts";
import type { Facts } from "../facts/facts.ts";
import { openFor } from "../facts/open.ts";
import { readFacts } from "../facts/read.ts";
import type { Held } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { readProcessRecord } from "../machine/process-record.ts";
import { shellWord } from "../model/format.ts";
import { InterruptedError } from "./interrupted-error.ts";
import { describe, describeAction, InterruptedActionError, interruptedFrom } from "./interrupted.ts";
import { isAbout, isMachineThere, isUnderWay, readRecord, removeRecord } from "./journal.ts";
import { whereRecordsAre } from "./record-places.ts";
import type { ActionRecord, Journal } from "./record.ts";

/** How long QEMU may take to say how it stands, in milliseconds. */
const LOOK = 5000;

/**
 * The record of a change or an action whose writer died, if something is left to resolve; else null. It only reads, and needs no lock.
 *
 * @throws DamagedRecordError when a record can't be read; ConfigError
 */
export async function unresolved(
  place: Pick<Place, "name" | "folders">,
  books: StatePaths,
  stored: Stored | null,
  facts: Facts,
): Promise<Journal | ActionRecord | null> {
  for (const each of await whereRecordsAre(place, books, stored)) {
    const record = await readRecord(each, place.name);
    if (record === null || (await isUnderWay(record)) || !(await isAbout(record, stored))) continue;
    if (!("action" in record) || !(await isOver(record, facts, await startedLast(place, books, stored)))) return record;
  }
  return null;
}

/** When the machine was last started by us, in ISO 8601; null if it was not. */
async function startedLast(place: Pick<Place, "folders">, books: StatePaths, stored: Stored | null): Promise<string | null> {
  const all = await whereRecordsAre(place, books, stored);
  const record = await readProcessRecord(all.at(-1) ?? books);
  return record?.how === "started" ? record.since : null;
}

/** Whether an action was finished in spite of its writer's death, or left nothing: then there is nothing to resolve. */
async function isOver(record: ActionRecord, { state, live }: Facts, started: string | null): Promise<boolean> {
  const isUp = live !== null && live.status !== "prelaunch";
  const old = record.machine !== null && (await isMachineThere(record)) === true;
  switch (record.action) {
    case "start":
      // QEMU is launched paused, so a paused one may be half started.
      return state === "stopped" || (isUp && !record.paused);
    case "shutdown":
      return !old;
    case "restart":
      // It was started again and has ended since: nothing is left to do either.
      return !old && ((isUp && !record.paused) || (state === "stopped" && started !== null && started > record.since));
  }
}

/**
 * The record that has to be resolved before anything else is done to the machine, under its lock. A record of another config, or of an
 * action that is over, is removed.
 *
 * @throws LockedError when its writer lives, because somebody removed its lock file; DamagedRecordError; ConfigError
 */
export async function recordToResolve(
  place: Place,
  held: Held,
): Promise<{ readonly record: Journal | ActionRecord; readonly facts: Facts } | null> {
  for (const books of await whereRecordsAre(place, held.books, held.stored)) {
    const record = await readRecord(books, place.name);
    if (record === null) continue;
    if (await isUnderWay(record))
      throw new LockedError(books.lock, 0, { pid: record.writer, command: await commandOf(record.writer), since: record.since });
    const facts = await look(place, held);
    if (await isAbout(record, held.stored))
      if (!("action" in record) || !(await isOver(record, facts, await startedLast(place, held.books, held.stored))))
        return { record, facts };
    await removeRecord(books);
  }
  return null;
}

/** Says of a change that is only planned what has to be done before it. */
export function toResolve(name: string, record: Journal | ActionRecord): string {
  const what =
    "action" in record
      ? describeAction(record)
      : `a change was interrupted: process ${record.writer} died during it (since ${record.since})`;
  return `${what}; resolve it first: qmpctl recover ${shellWord(name)} --finish, or --undo, or --forget`;
}

/** Removes the records of a machine: what they are about is resolved. */
export async function forgetRecords(place: Place, held: Held): Promise<void> {
  for (const books of await whereRecordsAre(place, held.books, held.stored)) await removeRecord(books);
}

async function look(place: Place, held: Held): Promise<Facts> {
  const by = deadlineIn(LOOK);
  const { ALL_READERS } = await import("../resources/kinds.ts");
  await using opened = await openFor(place, held, { by });
  return await readFacts(place, held, opened, { by, readers: ALL_READERS });
}

/**
 * Refuses to go on if a writer died in the middle: nothing may be built on what it left before that is resolved.
 *
 * @throws InterruptedError for a change; InterruptedActionError for an action; LockedError; DamagedRecordError
 */
export async function refuseUnresolved(place: Place, held: Held): Promise<void> {
  const found = await recordToResolve(place, held);
  if (found === null) return;
  const { record, facts } = found;
  if ("action" in record) throw new InterruptedActionError(place.name, record);
  const interrupted = await interruptedFrom(place.name, record, facts, held.stored?.text ?? null);
  throw new InterruptedError(interrupted, describe(interrupted));
}

/**
 * Removes the files that dead writers left beside a config. Under the lock there is no living writer, unless somebody removed the lock
 * file.
 */
export async function sweep(stored: Stored | null): Promise<void> {
  if (stored !== null) await sweepLeftovers(stored.place, isAlive);
}
