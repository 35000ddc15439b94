import { statePaths, type StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn, partOf } from "../../deadline.ts";
import { HostError, isErrorCode, QmpctlError } from "../../errors.ts";
import { acquireLock } from "../../host/lock.ts";
import { readRecord, removeRecord, writeRecord } from "../change/journal.ts";
import { tellAction, told } from "../change/telling.ts";
import { forgetEnds } from "../ends/forget.ts";
import { forgetNotes } from "../facts/notes.ts";
import { findMachine } from "../machine/find.ts";
import type { Identity } from "../machine/identity.ts";
import { type Held, lockMachine, openBooks, readStored } from "../machine/lock.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import { openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { readProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import { WaitNotice } from "../machine/wait-notice.ts";
import type { StopOptions, StopReport } from "../model/action.ts";
import { notRunning } from "../model/errors.ts";
import { cleanUp } from "./launch.ts";
import { groupRemover } from "./own-group.ts";
import { powerOff } from "./power-off.ts";

/** How long a guest may take to shut down, in milliseconds. */
export const SHUTDOWN_TIMEOUT = 60_000;
/** How long QEMU may take to end once it was told to, in milliseconds. */
const END_TIMEOUT = 5000;

/**
 * Asks the guest to shut down, with the ACPI power button, and waits until QEMU has ended. It is done under the machine's lock, and a
 * record says that it is in progress.
 *
 * @throws StateError when it does not run, or is paused; QmpctlError `timeout` when the guest ignores the button; LockedError; the signal's
 * reason
 */
export async function shutdownMachine(place: Place, options: StopOptions): Promise<StopReport> {
  const deadline = deadlineIn(options.timeout ?? SHUTDOWN_TIMEOUT);
  await using held = await lockMachine(place, { ...options, by: deadline });
  if (held.machine === null) throw notRunning(place.name, held.hindrance);
  // An interrupted change stays to be resolved: its config half outlives the machine.
  const mayRecord = (await readRecord(held.books, place.name).catch(() => "damaged")) === null;
  if (mayRecord) await writeRecord(held.books, { action: "shutdown", paused: false }, held.stored, held.machine?.process ?? null);
  try {
    const action = { what: "shutdown", domain: place.name } as const;
    return await told(
      held.books,
      action,
      () => shutdownLocked(place, held, deadline, options),
      ({ how }) => how,
    );
  } finally {
    if (mayRecord) await removeRecord(held.books);
  }
}

/** The shutdown itself, under a lock that is held. The caller keeps the record of it. @throws as `shutdownMachine` does */
export async function shutdownLocked(
  place: Place,
  { machine, books, stored, hindrance }: Held,
  deadline: Deadline,
  options: StopOptions,
): Promise<StopReport> {
  if (machine === null) throw notRunning(place.name, hindrance);
  const removeGroup = groupRemover(machine);
  const how = await powerOff(place, machine, deadline, options);
  if (!(await machine.hasEnded({ by: deadlineIn(END_TIMEOUT) })))
    throw new QmpctlError("timeout", `${place.name}: ${how}, and its process ${machine.pid} does not end`);
  await removeGroup();
  await noteEnd(place, { books, stored }, machine, how);
  return { name: place.name, how, elapsed: deadline.elapsed() };
}

/**
 * Ends the machine at once, as pulling the plug would. The guest is not asked and no lock is waited for, so that it helps if a change
 * hangs. Nothing of it can be half done: a signal that was sent can't be taken back.
 *
 * @throws StateError when it does not run; StrangerError when its process is not ours to end; QmpctlError `timeout`; the signal's reason
 */
export async function destroyMachine(place: Place, options: StopOptions): Promise<StopReport> {
  const deadline = deadlineIn(options.timeout ?? END_TIMEOUT);
  const began = new Date().toISOString();
  using notice = new WaitNotice(options.onProgress);
  notice.enter("QEMU is ending", deadline);
  const stored = await readStored(place);
  const { machine, hindrance, key } = await findMachine(place, stored);
  if (machine === null) throw notRunning(place.name, hindrance);
  const how = machine.process === null ? await quit(place, machine, deadline, options) : await end(place, machine, deadline, options);
  await afterwards(place, { books: statePaths(place.folders, key), stored }, machine, { how, began });
  return { name: place.name, how, elapsed: deadline.elapsed() };
}

/** Ends a machine whose lock is held. @throws as `destroyMachine` does */
export async function destroyLocked(place: Place, { machine, books, stored }: Held): Promise<void> {
  if (machine !== null) await noteEnd(place, { books, stored }, machine, await end(place, machine, deadlineIn(END_TIMEOUT), {}));
}

async function end(place: Place, machine: Identity, deadline: Deadline, { signal }: StopOptions): Promise<string> {
  const removeGroup = groupRemover(machine);
  await machine.signal("SIGTERM");
  const wasAsked = await machine.hasEnded({ by: deadline, signal });
  if (!wasAsked) await machine.signal("SIGKILL");
  if (wasAsked || (await machine.hasEnded({ by: deadlineIn(END_TIMEOUT) }))) {
    await removeGroup();
    return wasAsked ? "destroyed" : "killed, as it did not end by itself";
  }
  throw new QmpctlError("timeout", `${place.name}: process ${machine.pid} does not end, even killed`);
}

/** Tells a QEMU to quit whose process is not on this host. */
async function quit(place: Place, machine: Identity, deadline: Deadline, { timeout, signal }: StopOptions): Promise<string> {
  const heldBy = timeout === undefined ? undefined : deadline;
  await using monitor = await openMonitor(place.name, machine, { by: partOf(deadline, place.timeout), heldBy, signal });
  await monitor.session.execute("quit", undefined, { timeout: Math.max(1, deadline.left()), signal }).catch((error: unknown) => {
    // For quit, the end of the connection is the success (R38).
    if (!isErrorCode(error, "closed")) throw error;
  });
  await monitor.session.closed;
  return "destroyed";
}

/** Writes down that the machine has ended. If somebody has the lock at this moment, that is left to them. */
async function afterwards(
  place: Place,
  ending: Ending,
  machine: Identity,
  { how, began }: { readonly how: string; readonly began: string },
): Promise<void> {
  const end = { what: "destroy", domain: place.name, began, outcome: "done", about: how } as const;
  try {
    await openBooks(ending.books);
    await using _lock = await acquireLock(ending.books.lock, { timeout: 0 });
    await noteEnd(place, ending, machine, how);
    await tellAction(ending.books, end);
  } catch (error) {
    if (!isErrorCode(error, "locked", "host")) throw error;
    await tellAction(ending.books, end, { mayRotate: false });
  }
}

/** What the end of a machine is written down for. */
interface Ending {
  readonly books: StatePaths;
  readonly stored: Stored | null;
}

/** Writes down when and how it ended, for `info`, also if somebody else had started it. Its notes end with it. */
async function noteEnd({ folders }: Place, { books, stored }: Ending, machine: Identity, how: string): Promise<void> {
  await forgetNotes(books);
  await forgetEnds(books);
  const { process, known } = machine;
  const own = statePaths(folders, stored === null ? (machine.id ?? books.key) : await machineIdOf(stored));
  const record = await readProcessRecord(own);
  const isIts = record !== null && record.process.pid === process?.pid && record.process.started === process.started;
  const ended = { at: new Date().toISOString(), why: how };
  if (record !== null && isIts) await writeProcessRecord(own, { ...record, ended });
  else if (process !== null && stored !== null) {
    await openBooks(own);
    await writeProcessRecord(own, { process, how: "adopted", config: stored.path, folder: known.folder, since: ended.at, ended });
  }
  // Removes the sockets and the pidfile of a machine that was killed, also if its start was: then there is no record of it.
  if (known.folder !== null && (record?.folder === known.folder || known.id === books.key))
    await cleanUp(known.folder, { keepWords: true }).catch((error: unknown) => {
      if (!(error instanceof HostError)) throw error;
    });
}
