import { type Deadline, deadlineIn } from "../../deadline.ts";
import { isMachineThere, removeRecord } from "../change/journal.ts";
import type { ActionRecord } from "../change/record.ts";
import { findMachine } from "../machine/find.ts";
import { lastWords } from "../machine/last-words.ts";
import type { Held } from "../machine/lock.ts";
import { openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import type { ChangeOptions } from "../model/change.ts";
import { StateError } from "../model/errors.ts";
import { letGo } from "./let-go.ts";
import { prepareMachine, START_TIMEOUT, startMachine } from "./start.ts";
import { destroyLocked, SHUTDOWN_TIMEOUT, shutdownLocked } from "./stop.ts";
import { noteProcess } from "./supervised.ts";

/**
 * Resolves a start, a restart or a shutdown whose writer died: finishes it, or takes back what can be taken back.
 *
 * @returns what was done, in words that follow the domain's name
 */
export async function recoverAction(
  place: Place,
  held: Held,
  record: ActionRecord,
  how: "finish" | "undo" | "forget",
  options: ChangeOptions,
): Promise<string> {
  if (how === "forget") return `the interrupted ${record.action} is forgotten, and the machine left as it is`;
  const old = record.machine !== null && (await isMachineThere(record)) === true;
  const word = options.dryRun === true ? "would be" : "is";
  const isNew = held.machine !== null && !old;
  if (how === "undo") {
    if (!isNew || record.action === "shutdown")
      return old
        ? `the guest may have been asked to shut down, which can't be taken back: the ${record.action} ${word} given up, and the machine runs`
        : `nothing is left to undo: the machine is stopped`;
    if (options.dryRun !== true) await destroyLocked(place, held);
    return `the half-started machine ${word} ended${record.action === "restart" ? "; the one before it has ended too, which can't be taken back: qmpctl start starts it" : ""}`;
  }
  if (options.dryRun === true) return `the ${record.action} would be finished`;
  return finish(place, held, record, old, options);
}

async function finish(
  place: Place,
  held: Held,
  record: ActionRecord,
  old: boolean,
  { signal, onProgress, timeout }: ChangeOptions,
): Promise<string> {
  const options = { signal, onProgress, paused: record.paused };
  // One deadline for what is left of the action, as the action itself has.
  const usual = (old ? SHUTDOWN_TIMEOUT : 0) + (record.action === "shutdown" ? 0 : START_TIMEOUT);
  const deadline = deadlineIn(timeout ?? usual);
  if (old) {
    await shutdownLocked(place, held, deadline, options);
    if (record.action === "shutdown") return "the shutdown is finished";
  }
  if (record.action === "shutdown") return "the machine is stopped";
  const found = await findMachine(place, held.stored);
  const now: Held = { ...held, machine: found.machine, hindrance: found.hindrance };
  if (now.machine === null) {
    await removeRecord(held.books);
    const { pid } = await startMachine(place, now, deadline, options);
    return `the machine is started, pid ${pid}`;
  }
  await goOn(place, now, record.paused, deadline, signal);
  return `the ${record.action} is finished: what its config says is applied${record.paused ? ", and it is paused, as asked" : ", and it runs"}`;
}

/** Makes a machine that was launched and left stopped what its config says, and lets it go on. */
async function goOn(
  place: Place,
  { machine, stored, books }: Held,
  paused: boolean,
  by: Deadline,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (machine === null || stored === null) throw new StateError(`${place.name}: it has no config`, "unreachable");
  // QEMU may still be setting the machine up.
  await using monitor = await openMonitor(place.name, machine, { by, signal });
  await prepareMachine(place, { books, stored }, monitor);
  await noteProcess(books, stored, machine);
  if (!paused)
    await letGo(
      { monitor, machine, howItEnded: async () => (await lastWords(machine.known.folder)) ?? "the cause is not known" },
      place.name,
    );
}
