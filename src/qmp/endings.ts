/// <reference lib="esnext.disposable" preserve="true" />
import { type Deadline, deadlineIn } from "../deadline.ts";
import { QmpctlError } from "../errors.ts";
import { ejectReport } from "../schema/acpi-ost.ts";
import type { QmpEvent } from "../schema/event.ts";
import type { Shutdown } from "../schema/events.ts";
import { DeadlineSignal } from "./deadline-signal.ts";
import { ClosedError, CommandError, TimeoutError } from "./errors.ts";
import type { CallOptions, Session } from "./session.ts";

/**
 * Ends QEMU, and resolves when it has gone, that is when the connection ends. QEMU may go before it answers `quit`, so a broken
 * connection is a success here. `timeout` is 60 s unless told.
 *
 * @throws CommandError when QEMU refuses; TimeoutError when it is still there at the deadline; ClosedError when the session was closed
 *   here; the signal's reason as it is
 */
export async function quit(session: Session, options: CallOptions = {}): Promise<void> {
  const { timeout = 60_000 } = options;
  using deadline = new DeadlineSignal(timeout, options.signal);
  const ended = session.execute("quit", {}, { timeout: Infinity }).then(
    () => session.closed,
    (error: unknown) => {
      if (error instanceof ClosedError && error.sent) return session.closed;
      throw error;
    },
  );
  const reason = await deadline.race(ended, () => new TimeoutError("quit", timeout, "unanswered"));
  if (reason.by === "us") throw new ClosedError("quit", "the session was closed here before QEMU ended", { sent: true });
}

/**
 * Asks the guest to shut down, and resolves when it has: with the data of QEMU's SHUTDOWN event, or with undefined when QEMU went before
 * it sent one. The reply to `system_powerdown` only says that the power button was pressed. `timeout` is 60 s unless told.
 *
 * @throws CommandError when QEMU refuses; TimeoutError when the guest has not shut down by the deadline; ClosedError when the session was
 *   closed here; the signal's reason as it is
 */
export async function powerDown(session: Session, options: CallOptions = {}): Promise<Shutdown | undefined> {
  const { timeout = 60_000, signal } = options;
  const shutdown = session.waitFor("SHUTDOWN", { timeout, signal });
  try {
    await session.execute("system_powerdown", {}, { timeout, signal });
    return (await shutdown).data;
  } catch (error) {
    if (error instanceof TimeoutError) throw new TimeoutError("system_powerdown", timeout, error.where);
    if (error instanceof ClosedError && (await session.closed).by === "peer") return undefined;
    throw error;
  }
}

/**
 * How an unplug ended.
 *
 * - `gone`: the device is no longer there
 * - `refused`: the guest refused; `said` is the event that says so
 * - `pending`: the guest has not let go by the deadline, and may still do so: QEMU can't withdraw the request. `said` is its last event
 */
export type Unplugged = { readonly outcome: "gone" } | { readonly outcome: "refused" | "pending"; readonly said: QmpEvent | undefined };

const HINTS = ["DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR", "ACPI_DEVICE_OST", "RESUME"] as const;

/** How often the state is read if no event comes, in milliseconds: the event of an unplugged vCPU may never come. */
const LOOK_AGAIN = 200;

/** What a question about the state gets at least, in milliseconds: when the deadline has passed, the state is still read once. */
const LEAST = 2000;

/**
 * Unplugs a device, by its id or QOM path. Resolves when the device is no longer there, when the guest refuses, or at the deadline. Events
 * are only hints to read the state; the state decides, because the event of an unplugged vCPU may never come. `timeout` is 30 s unless
 * told.
 *
 * @throws CommandError when there is no such device, or it can't be unplugged; TimeoutError when the monitor does not answer; ClosedError
 *   when the connection ends; the signal's reason as it is
 */
export async function unplug(session: Session, device: string, options: CallOptions = {}): Promise<Unplugged> {
  const { timeout = 30_000, signal } = options;
  const path = device.startsWith("/") ? device : `/machine/peripheral/${device}`;
  const deadline = deadlineIn(timeout);
  let said: QmpEvent | undefined;
  using hints = session.events(HINTS);
  await session.execute("device_del", { id: device }, { signal, timeout });
  for (let hint = hints.next(); ;) {
    if (!(await exists(session, path, deadline, signal))) return { outcome: "gone" };
    const left = deadline.left();
    if (left <= 0) return { outcome: "pending", said };
    const heard = await soon(hint, Math.min(left, LOOK_AGAIN), signal);
    if (heard === undefined) continue;
    if (concerns(heard, device, path)) said = heard;
    if (said !== undefined && isRefusal(said)) return { outcome: "refused", said };
    hint = hints.next();
  }
}

async function exists(session: Session, path: string, deadline: Deadline, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await session.execute("qom-list", { path }, { signal, timeout: Math.max(LEAST, deadline.left()) });
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.class === "DeviceNotFound") return false;
    throw error;
  }
}

/** The event, if it comes within that time. */
async function soon(
  hint: Promise<IteratorResult<QmpEvent, undefined>>,
  time: number,
  signal: AbortSignal | undefined,
): Promise<QmpEvent | undefined> {
  using deadline = new DeadlineSignal(time, signal);
  try {
    return (await deadline.race(hint, () => new QmpctlError("timeout", "not yet"))).value;
  } catch (error) {
    if (error instanceof QmpctlError && error.code === "timeout") return undefined;
    throw error;
  }
}

function concerns(event: QmpEvent, device: string, path: string): boolean {
  const data = event.data as { readonly device?: string; readonly path?: string; readonly info?: { readonly device?: string } } | undefined;
  return data !== undefined && (data.device === device || data.path === path || data.info?.device === device);
}

function isRefusal(event: QmpEvent): boolean {
  if (event.event === "DEVICE_UNPLUG_GUEST_ERROR" || event.event === "MEM_UNPLUG_ERROR") return true;
  return event.event === "ACPI_DEVICE_OST" && ejectReport(event.data.info) === "refused";
}
