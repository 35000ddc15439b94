import { statePaths, type StatePaths } from "../../config/runtime.ts";
import { type Stored, sweepLeftovers } from "../../config/store.ts";
import { deadlineIn } from "../../deadline.ts";
import { LockedError } from "../../host/lock.ts";
import { commandOf, isAlive } from "../../host/threads.ts";
import type { Facts } from "../facts/facts.ts";
import { openFor } from "../facts/open.ts";
import { readFacts } from "../facts/read.ts";
import type { Held } from "../machine/lock.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Place } from "../machine/place.ts";
import { readProcessRecord } from "../machine/process-record.ts";
import { InterruptedActionError, InterruptedError, interruptedFrom } from "./interrupted.ts";
import { isAbout, isMachineThere, isUnderWay, readRecord, removeRecord } from "./journal.ts";
import type { ActionRecord, Journal } from "./record.ts";

/** How long a machine may take to say how it stands, in milliseconds. */
const LOOK = 5000;

/**
 * The record of a change or an action whose writer died, if something is left to be resolved; null where there is none. Looks only, and
 * needs no lock.
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

/** When the machine was last started by us, as it was written down; null where nobody did. ISO 8601. */
async function startedLast(place: Pick<Place, "folders">, books: StatePaths, stored: Stored | null): Promise<string | null> {
  const all = await whereRecordsAre(place, books, stored);
  const record = await readProcessRecord(all.at(-1) ?? books);
  return record?.how === "started" ? record.since : null;
}

/**
 * With the machine's lock; and with its config, where that one has another key: while a QEMU without a mark runs it, the lock is the
 * process's.
 */
async function whereRecordsAre(
  { folders }: Pick<Place, "folders">,
  books: StatePaths,
  stored: Stored | null,
): Promise<readonly StatePaths[]> {
  const id = stored === null ? books.key : await machineIdOf(stored);
  return id === books.key ? [books] : [books, statePaths(folders, id)];
}

/** Whether an action came to its end all the same, or nothing is left of it: then there is nothing to resolve. */
async function isOver(record: ActionRecord, { state, live }: Facts, started: string | null): Promise<boolean> {
  const isUp = live !== null && live.status !== "prelaunch";
  const old = record.machine !== null && (await isMachineThere(record)) === true;
  switch (record.action) {
    case "start":
      // Paused is how QEMU is launched, too.
      return state === "stopped" || (isUp && !record.paused);
    case "shutdown":
      return !old;
    case "restart":
      // Started again, and ended since: there is nothing left to do either.
      return !old && ((isUp && !record.paused) || (state === "stopped" && started !== null && started > record.since));
  }
}

/**
 * The record that has to be resolved before anything else is done to the machine, under its lock. What is not this config's, or is over, is
 * taken away.
 *
 * @throws LockedError when its writer lives: somebody took its lock file away
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

/** Takes away the records of a machine: what they are about is resolved. */
export async function forgetRecords(place: Place, held: Held): Promise<void> {
  for (const books of await whereRecordsAre(place, held.books, held.stored)) await removeRecord(books);
}

async function look(place: Place, held: Held): Promise<Facts> {
  const by = deadlineIn(LOOK);
  await using opened = await openFor(place, held, { by });
  return await readFacts(place, held, opened, { by });
}

/**
 * Where a writer died in the middle, nobody may build on what it left before that is resolved. @throws InterruptedError,
 * InterruptedActionError, LockedError
 */
export async function refuseUnresolved(place: Place, held: Held): Promise<void> {
  const found = await recordToResolve(place, held);
  if (found === null) return;
  const { record, facts } = found;
  if ("action" in record) throw new InterruptedActionError(place.name, record);
  throw new InterruptedError(await interruptedFrom(place.name, record, facts, held.stored?.text ?? null));
}

/**
 * Takes away what writers that died left beside a config. Under the lock there is no living one, unless somebody took the lock file away.
 */
export async function sweep(stored: Stored | null): Promise<void> {
  if (stored !== null) await sweepLeftovers(stored.place, isAlive);
}
