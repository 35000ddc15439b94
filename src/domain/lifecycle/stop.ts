import { isErrorCode, QmpctlError } from "../../errors.ts";
import { acquireLock } from "../../host/lock.ts";
import { identify, type ProcessIdentity, sendSignal, waitForEnd } from "../../host/signal.ts";
import { forgetAsked } from "../facts/notes.ts";
import type { Progress } from "../change.ts";
import { StateError } from "../errors.ts";
import { findFor, readStored } from "../facts.ts";
import { cleanUp } from "./launch.ts";
import { readLive } from "../live.ts";
import { findMachine, openControl, type Present } from "../machine/find.ts";
import type { Monitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { deadlineIn } from "../step.ts";

/** Options of `shutdown` and `destroy`. `timeout` in milliseconds. */
export interface StopOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
  readonly onProgress?: (progress: Progress) => void;
}

/** A machine that has ended. */
export interface StopReport {
  readonly name: string;
  /** What ended it, as `the guest powered off`. */
  readonly how: string;
  readonly elapsed: number;
}

/** How long a guest may take to shut down, in milliseconds. */
export const SHUTDOWN_TIMEOUT = 60_000;
/** A guest that is still booting misses the power button: it is pressed again this often. */
const PRESS_AGAIN = 5000;
/** How long QEMU may take to end once it was told to. */
const END_TIMEOUT = 5000;

/** Asks the guest to shut down, by the ACPI power button, and waits until QEMU has ended. TimeoutError-like when the guest ignores it. */
export async function shutdownMachine(place: Place, options: StopOptions): Promise<StopReport> {
  const deadline = deadlineIn(options.timeout ?? SHUTDOWN_TIMEOUT);
  const present = await mustBeThere(place);
  await using monitor = await openControl(place, present, options.signal);
  const process = await processOf(present, monitor);
  const { status } = await monitor.session.execute("query-status");
  if (status === "paused" || status === "prelaunch") {
    throw new StateError(`${place.name}: it is paused, and a guest that does not run can't shut down; resume it first, or destroy it`, "paused");
  }
  while (deadline.left() > 0) {
    if (await pressed(monitor)) await gone(monitor, process, Math.min(PRESS_AGAIN, deadline.left()), { ...options, timeout: deadline.timeout }, deadline.elapsed());
    if (!(await stillThere(monitor, process))) return await ended(place, "the guest powered off", deadline.elapsed());
  }
  throw new QmpctlError("timeout", `${place.name}: the guest did not shut down within ${deadline.timeout} ms; it may ignore the power button, and \`qmpctl destroy ${place.name}\` ends it all the same`);
}

/** Ends the machine at once, as pulling the plug would: the guest is not asked. */
export async function destroyMachine(place: Place, options: StopOptions): Promise<StopReport> {
  const deadline = deadlineIn(options.timeout ?? END_TIMEOUT);
  const present = await mustBeThere(place);
  if (present.pid === null) return quit(place, present, options, deadline.elapsed);
  const process = await identify(present.pid);
  if (process !== undefined) {
    await sendSignal(process, "SIGTERM");
    if (!(await waitForEnd(process, { timeout: deadline.left(), signal: options.signal }))) {
      await sendSignal(process, "SIGKILL");
      if (!(await waitForEnd(process, { timeout: END_TIMEOUT }))) throw new QmpctlError("timeout", `${place.name}: process ${present.pid} does not end, even killed`);
      return await ended(place, "killed, as it did not end by itself", deadline.elapsed());
    }
  }
  return await ended(place, "destroyed", deadline.elapsed());
}

async function mustBeThere(place: Place): Promise<Present> {
  const present = await findFor(place, await readStored(place));
  if (present === null) throw new StateError(`${place.name}: it does not run`, "stopped");
  return present;
}

/** The process to watch for the end; undefined where it is not on this host: then the connection's end is the end. */
async function processOf({ pid }: Present, monitor: Monitor): Promise<ProcessIdentity | undefined> {
  const known = pid ?? (await readLive(monitor.session, null)).pid;
  return known === null ? undefined : identify(known);
}

/** Presses the power button. A connection that ends at that moment means that there is nothing left to press. */
async function pressed({ session }: Monitor): Promise<boolean> {
  try {
    const { status } = await session.execute("query-status");
    // With -no-shutdown QEMU stays when the guest has powered off.
    await session.execute(status === "shutdown" ? "quit" : "system_powerdown");
    return true;
  } catch (error) {
    if (isErrorCode(error, "closed")) return false;
    throw error;
  }
}

/** Waits for the end of the process, or, where it is elsewhere, of the connection. */
async function gone(monitor: Monitor, process: ProcessIdentity | undefined, timeout: number, options: StopOptions, before: number): Promise<void> {
  const onLook = (elapsed: number): void =>
    options.onProgress?.({ what: "shutdown", actual: "running", wanted: "stopped", elapsed: before + elapsed, timeout: options.timeout ?? SHUTDOWN_TIMEOUT });
  using poweredOff = monitor.session.events(["SHUTDOWN"]);
  void quitAfter(poweredOff, monitor);
  if (process !== undefined) return void (await waitForEnd(process, { timeout, signal: options.signal, onLook }));
  await within(monitor.session.closed, timeout, options.signal);
}

/** With -no-shutdown QEMU says SHUTDOWN and stays: it is told to go. */
async function quitAfter(events: AsyncIterable<unknown>, { session }: Monitor): Promise<void> {
  try {
    for await (const _event of events) {
      const { status } = await session.execute("query-status");
      if (status === "shutdown") await session.execute("quit");
    }
  } catch {
    // The connection ended: so did QEMU.
  }
}

async function within(promise: Promise<unknown>, timeout: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, timeout);
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    void promise.then(() => resolve()).finally(() => clearTimeout(timer));
  });
}

async function stillThere(monitor: Monitor, process: ProcessIdentity | undefined): Promise<boolean> {
  if (process !== undefined) return (await identify(process.pid))?.started === process.started;
  return monitor.session.execute("query-status").then(() => true, () => false);
}

async function quit(place: Place, present: Present, options: StopOptions, elapsed: () => number): Promise<StopReport> {
  await using monitor = await openControl(place, present, options.signal);
  await monitor.session.execute("quit", undefined, { timeout: options.timeout ?? END_TIMEOUT }).catch((error: unknown) => {
    // The end of the connection is the success of quit (R38).
    if (!isErrorCode(error, "closed")) throw error;
  });
  await within(monitor.session.closed, END_TIMEOUT, options.signal);
  return await ended(place, "destroyed", elapsed());
}

async function ended(place: Place, how: string, elapsed: number): Promise<StopReport> {
  await forgetMachine(place);
  return { name: place.name, how, elapsed };
}

/** Removes what it left, unless somebody is starting it again at this moment: then it is theirs to clean. */
async function forgetMachine(place: Place): Promise<void> {
  try {
    await using _lock = await acquireLock(place.runtime.lock, { timeout: 0 });
    if ((await findMachine(place)) !== null && place.address === null) return;
    if (place.address === null) await cleanUp(place);
    await forgetAsked(place.runtime.folder);
  } catch (error) {
    if (!isErrorCode(error, "locked", "host")) throw error;
  }
}
