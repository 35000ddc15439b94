import { statePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { messageOf, QmpctlError } from "../../errors.ts";
import { removeRecord, writeRecord } from "../change/journal.ts";
import { told } from "../change/telling.ts";
import { refuseUnresolved } from "../change/unresolved.ts";
import { type Held, lockBooks, lockMachine } from "../machine/lock.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Place } from "../machine/place.ts";
import { readProcessRecord, supervisorOf } from "../machine/process-record.ts";
import type { StartOptions, StartReport, StopOptions } from "../model/action.ts";
import { shellWord } from "../model/format.ts";
import { leaveStart } from "./leave-start.ts";
import { launchAndLetGo, mayStart, START_TIMEOUT, startedAs, startMachine } from "./start.ts";
import { SHUTDOWN_TIMEOUT, shutdownLocked } from "./stop.ts";

/**
 * A shutdown and a start, under one lock and one deadline: then the machine is what the config says now. What can be checked of the start
 * is checked before the running machine is asked to shut down. A stopped machine is simply started.
 *
 * @throws what a shutdown and a start throw; QmpctlError `partial` when it was shut down and could not be started
 */
export async function restartMachine(place: Place, options: StartOptions & StopOptions): Promise<StartReport> {
  const deadline = deadlineIn(options.timeout ?? SHUTDOWN_TIMEOUT + START_TIMEOUT);
  await using held = await lockMachine(place, { ...options, by: deadline });
  await refuseUnresolved(place, held);
  if (held.machine === null) return await startMachine(place, held, deadline, options);
  const stopped: Held = { ...held, machine: null };
  const stored = await mayStart(place, stopped);
  const supervisor = await supervisorOf(await readProcessRecord(held.books));
  if (supervisor !== null) return await leaveStart(place, { held, stored, supervisor }, deadline, options);
  await writeRecord(held.books, { action: "restart", paused: options.paused === true }, stored, held.machine.process);
  const books = statePaths(place.folders, await machineIdOf(stored));
  const again = async (): Promise<StartReport> => {
    await shutdownLocked(place, held, deadline, options);
    options.onStopped?.();
    // A QEMU without a mark had a lock of its own; the next one has its machine's.
    await using _lock = books.key === held.books.key ? null : await lockBooks(books, deadline, options.signal);
    return await startAgain(place, { books }, stored, deadline, options);
  };
  try {
    return await told(books, { what: "restart", domain: place.name }, again, startedAs);
  } finally {
    await removeRecord(held.books);
  }
}

/** The start. If it fails, the shutdown can't be taken back, and the error says so. */
async function startAgain(
  place: Place,
  held: Pick<Held, "books">,
  stored: Stored,
  deadline: Deadline,
  options: StartOptions,
): Promise<StartReport> {
  try {
    return await launchAndLetGo(place, held, stored, deadline, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new QmpctlError(
      "partial",
      `${messageOf(error)}; it had shut down for this restart, and is stopped now: qmpctl start ${shellWord(place.name)}`,
      { cause: error },
    );
  }
}
