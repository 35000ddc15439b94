import { deadlineIn, partOf } from "../../deadline.ts";
import { QmpctlError } from "../../errors.ts";
import { CommandError } from "../../qmp/errors.ts";
import { told } from "../change/telling.ts";
import { refuseUnresolved } from "../change/unresolved.ts";
import { readLive } from "../facts/live.ts";
import { eventsOf } from "../machine/event-hints.ts";
import { lockDeadline, lockMachine } from "../machine/lock.ts";
import { type AskOptions, type Monitor, openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { pollUntil } from "../machine/poll-until.ts";
import type { ReadOptions } from "../model/action.ts";
import { notRunning, StateError } from "../model/errors.ts";
import { shellWord } from "../model/format.ts";
import { domainStateOf, isOrdinary, runStateOf } from "../model/run-state.ts";
import { resetRisk } from "../resources/replug.ts";

/** How long QEMU may take to show the state that it was told to enter, in milliseconds. */
const SHOWN = 5000;

/**
 * Freezes the guest (`stop`), and reads back that it is frozen. If it is frozen already, that counts as done.
 *
 * @throws StateError in a state that is no pause; LockedError; DiedError; the session's errors
 */
export function suspendMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, "suspend", options, async (monitor, status) => {
    if (!isOrdinary(status)) throw refused(place.name, status, "so there is nothing to suspend");
    // The command may be sent twice; if QEMU dies of it, that is reported.
    await monitor.ask((session) => session.execute("stop"));
    await mustShow(place.name, monitor, "stop", (now) => now !== "running");
  });
}

/**
 * Lets a frozen guest go on, or wakes one that sleeps, and reads back that it runs.
 *
 * @throws StateError in a state that neither ends; LockedError; DiedError; the session's errors
 */
export function resumeMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, "resume", options, (monitor, status) => resume(place.name, monitor, status));
}

async function resume(name: string, monitor: Monitor, status: string): Promise<void> {
  const { resumes } = runStateOf(status);
  if (resumes === null) throw refused(name, status, "so it can't be resumed");
  if (resumes === "cont") await monitor.ask((session) => session.execute("cont"));
  // A guest that slept when it was paused sleeps again after `cont` (10.0, 11.1).
  const now = resumes === "cont" ? await statusOf(monitor) : status;
  if (now === "suspended") await monitor.ask(wakeUp);
  await mustShow(name, monitor, now === "suspended" ? "system_wakeup" : "cont", (seen) => seen === "running");
}

/** If it is sent twice, after a connection that broke, the second one may find the guest awake. */
async function wakeUp(session: Monitor["session"]): Promise<void> {
  await session.execute("system_wakeup").catch(async (error: unknown) => {
    if (!(error instanceof CommandError) || !(await session.execute("query-status")).running) throw error;
  });
}

/**
 * Resets the machine, as its reset button would: the same QEMU goes on with what it was given. A machine that has powered off, crashed or
 * slept boots again; one that was paused stays paused.
 *
 * @throws StateError while it is set up, migrated or saved, or if a reset would kill it; LockedError; DiedError; the session's errors
 */
export function resetMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, "reset", options, async (monitor, status) => {
    const state = runStateOf(status);
    if (state.resumes === null && !state.resetStops) throw refused(place.name, status, "so it can't be reset");
    const risk = resetRisk(await monitor.ask((session) => readLive(session, monitor.pid)));
    if (risk !== null)
      throw new StateError(
        `${place.name}: ${risk}; qmpctl restart ${shellWord(place.name)} shuts it down and starts it anew`,
        domainStateOf(status),
      );
    await monitor.ask((session) => session.execute("system_reset"));
    if (!state.resetStops) return void (await statusOf(monitor));
    await mustShow(place.name, monitor, "system_reset", isOrdinary);
    await resume(place.name, monitor, await statusOf(monitor));
  });
}

async function command(
  place: Place,
  what: "suspend" | "resume" | "reset",
  options: ReadOptions,
  act: (monitor: Monitor, status: string) => Promise<void>,
): Promise<void> {
  const deadline = lockDeadline(options.timeout);
  await using held = await lockMachine(place, { by: deadline, signal: options.signal });
  // If its start was interrupted, it would run without its pins and its memory target.
  await refuseUnresolved(place, held);
  const { machine, hindrance } = held;
  if (machine === null) throw notRunning(place.name, hindrance);
  await using monitor = await openMonitor(place.name, machine, {
    by: partOf(deadline, place.timeout),
    signal: options.signal,
    heldBy: options.timeout === undefined ? undefined : deadline,
  });
  await told(held.books, { what, domain: place.name }, async () => act(monitor, await statusOf(monitor)));
}

async function statusOf(monitor: Monitor, options: AskOptions = {}): Promise<string> {
  return (await monitor.ask((session) => session.execute("query-status"), options)).status;
}

/** Waits until QEMU shows the state: a reset and a wake-up are done a moment after QEMU has accepted them. */
async function mustShow(name: string, monitor: Monitor, sent: string, reached: (status: string) => boolean): Promise<void> {
  const by = deadlineIn(SHOWN);
  const hints = eventsOf(monitor, ["RESET", "WAKEUP", "RESUME", "STOP"]);
  const { seen, done } = await pollUntil({ hints, look: () => statusOf(monitor, { by }), done: reached }, { by });
  if (!done)
    throw new QmpctlError(
      "command",
      `${name}: QEMU accepted ${sent}, but the guest ${runStateOf(seen).is}; ${runStateOf(seen).next(shellWord(name))}`,
    );
}

/** The error for an action that a state does not allow, with the command that helps. */
export function refused(name: string, status: string, what: string): StateError {
  const { is, next } = runStateOf(status);
  return new StateError(`${name}: the guest ${is}, ${what}; ${next(shellWord(name))}`, domainStateOf(status));
}
