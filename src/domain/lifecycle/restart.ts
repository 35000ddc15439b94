import { removeRecord, writeRecord } from "../journal.ts";
import { type Held, lockMachine } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { deadlineIn } from "../model/deadline.ts";
import { refuseUnresolved } from "../unresolved.ts";
import { launchAndLetGo, mayStart, START_TIMEOUT, type StartOptions, type StartReport, startMachine } from "./start.ts";
import { SHUTDOWN_TIMEOUT, shutdownLocked, type StopOptions } from "./stop.ts";

/**
 * A shutdown and a start, under one lock and one deadline: what the config says now is so afterwards. What can be checked of the start is checked before the
 * running machine is asked to go. One that is stopped already is as good.
 *
 * @throws as a shutdown and a start do
 */
export async function restartMachine(place: Place, options: StartOptions & StopOptions): Promise<StartReport> {
  const deadline = deadlineIn(options.timeout ?? SHUTDOWN_TIMEOUT + START_TIMEOUT);
  await using held = await lockMachine(place, { ...options, timeout: deadline.timeout });
  await refuseUnresolved(place, held);
  if (held.machine === null) return await startMachine(place, held, deadline, options);
  const stopped: Held = { ...held, machine: null };
  const stored = await mayStart(place, stopped);
  await writeRecord(held.books, { action: "restart", paused: options.paused === true }, stored, held.machine.process);
  try {
    await shutdownLocked(place, held, deadline, options);
    return await launchAndLetGo(place, held, stored, deadline, options);
  } finally {
    await removeRecord(held.books);
  }
}
