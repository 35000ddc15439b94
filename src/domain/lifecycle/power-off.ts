import { type Deadline, deadlineIn, partOf } from "../../deadline.ts";
import { formatTime, isErrorCode, QmpctlError } from "../../errors.ts";
import type { Identity } from "../machine/identity.ts";
import { type Monitor, openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { type Hints, pollUntil } from "../machine/poll-until.ts";
import type { StopOptions } from "../model/action.ts";
import { StateError } from "../model/errors.ts";
import { shellWord } from "../model/format.ts";
import { isPaused } from "../model/run-state.ts";
import { causeOf } from "./ended.ts";
import { refused } from "./power.ts";

/** How often the power button is pressed again, in milliseconds: a guest that is still booting misses it. */
const PRESS_AGAIN = 5000;
/** How long QEMU may take to end after it said so, in milliseconds. With -no-shutdown it stays, and 7.2 can hang then. */
const END = 1000;

/**
 * Asks the guest to power off until it does. A QEMU that has said that it ends (SHUTDOWN) is asked nothing more: a command that arrives
 * then makes 5.2 abort and 7.2 hang (measured).
 *
 * @returns what ended the machine, in words
 * @throws StateError when the guest does not run; QmpctlError `timeout` when it ignores the button
 */
export async function powerOff(place: Place, machine: Identity, deadline: Deadline, options: StopOptions): Promise<string> {
  await using monitor = await openMonitor(place.name, machine, {
    by: partOf(deadline, place.timeout),
    signal: options.signal,
    heldBy: deadline,
  });
  const { status } = await monitor.session.execute("query-status", undefined, limits(deadline, options));
  mustBeUp(place.name, status);
  // With -no-shutdown QEMU stays after the guest has powered off.
  if (status === "shutdown") return await quitNow(monitor, machine, "the guest had powered off");
  using events = monitor.session.events(["SHUTDOWN"]);
  const ending = firstShutdown(events);
  while (deadline.left() > 0) {
    await press(monitor, deadline, options);
    const reason = await Promise.race([ending, gone(machine, monitor, deadline, options)]);
    if (reason === undefined) continue;
    return await finish(
      monitor,
      machine,
      reason === null
        ? "the guest powered off"
        : reason.startsWith("guest-shutdown") || reason === ""
          ? "the guest powered off"
          : causeOf(reason),
    );
  }
  // If it has stopped meanwhile, the button is not what failed.
  const { status: now } = await monitor.session.execute("query-status", undefined, { timeout: END, signal: options.signal });
  if (now !== "running") throw refused(place.name, now, "and has not shut down");
  throw new QmpctlError(
    "timeout",
    `${place.name}: the guest did not shut down within ${formatTime(deadline.timeout)}; it may ignore the power button, and \`qmpctl destroy ${shellWord(place.name)}\` ends it all the same`,
  );
}

/** Checks that a guest can be asked to shut down, by QEMU's word for its state. @throws StateError when it can't */
export function mustBeUp(name: string, status: string): void {
  if (isPaused(status))
    throw new StateError(`${name}: it is paused, and a guest that does not run can't shut down; resume it first, or destroy it`, "paused");
  if (status !== "running" && status !== "shutdown") throw refused(name, status, "so it can't shut down");
}

/** The reason of the first SHUTDOWN; null if the connection ended without one. */
async function firstShutdown(events: AsyncIterable<{ readonly data?: unknown }>): Promise<string | null> {
  try {
    for await (const { data } of events) return (data as { readonly reason?: string } | undefined)?.reason ?? "";
  } catch {
    // The connection has ended, and QEMU most likely too.
  }
  return null;
}

/** A call of ours ends with the deadline, not after a time of its own. */
function limits(deadline: Deadline, { signal }: StopOptions): { readonly timeout: number; readonly signal: AbortSignal | undefined } {
  return { timeout: Math.max(1, deadline.left()), signal };
}

async function press(monitor: Monitor, deadline: Deadline, options: StopOptions): Promise<void> {
  try {
    await monitor.session.execute("system_powerdown", undefined, limits(deadline, options));
    options.onAsked?.();
  } catch (error) {
    if (!isErrorCode(error, "closed")) throw error;
  }
}

/** Waits for the end of the process, or of the connection if the process is elsewhere. Null when it came, undefined when it did not. */
async function gone(
  machine: Identity,
  monitor: Monitor,
  deadline: Deadline,
  { signal, onProgress }: StopOptions,
): Promise<null | undefined> {
  const until = { by: partOf(deadline, PRESS_AGAIN), signal };
  const onLook = (): void =>
    onProgress?.({ what: "shutdown", actual: "running", wanted: "stopped", elapsed: deadline.elapsed(), timeout: deadline.timeout });
  if (machine.process !== null) return (await machine.hasEnded({ ...until, onLook })) ? null : undefined;
  let closed = false;
  const { closed: closing } = monitor.session;
  const hints: Hints = { listen: (hear) => void closing.then(() => ((closed = true), hear())), [Symbol.dispose]: () => {} };
  const { done } = await pollUntil({ look: async () => closed, done: (isOver) => isOver, onLook, hints, pauses: [PRESS_AGAIN] }, until);
  return done ? null : undefined;
}

/** Waits until a QEMU that said that it ends has ended, and ends it if it does not. */
async function finish(monitor: Monitor, machine: Identity, how: string): Promise<string> {
  if (machine.process === null || (await machine.hasEnded({ by: deadlineIn(END) }))) return how;
  return quitNow(monitor, machine, how);
}

async function quitNow({ session }: Monitor, machine: Identity, how: string): Promise<string> {
  await session.execute("quit", undefined, { timeout: END }).catch((error: unknown) => {
    if (!isErrorCode(error, "closed", "timeout")) throw error;
  });
  // If it hangs at its end, a signal frees it.
  if (machine.process !== null && !(await machine.hasEnded({ by: deadlineIn(END) }))) await machine.signal("SIGTERM");
  return how;
}
