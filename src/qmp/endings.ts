import { QmpctlError } from "../errors.ts";
import type { QmpEvent } from "../schema/event.ts";
import type { Shutdown } from "../schema/events.ts";
import { ClosedError, CommandError, TimeoutError } from "./errors.ts";
import { Patience } from "./patience.ts";
import type { CallOptions, Session } from "./session.ts";

/**
 * Ends QEMU and settles when it has gone: when the connection ends. The reply to `quit` may be lost on the way, so that a broken
 * connection is the success here.
 *
 * @throws CommandError, TimeoutError (it is still there), ClosedError when we closed the session; the signal's reason as it is
 */
export async function quit(session: Session, options: CallOptions = {}): Promise<void> {
  const { timeout = 60_000 } = options;
  const patience = new Patience(timeout, options.signal);
  try {
    const refused = session.execute("quit", {}, { timeout: Infinity }).then(
      () => session.closed,
      (error: unknown) => {
        if (error instanceof ClosedError && error.sent) return session.closed;
        throw error;
      },
    );
    const reason = await patience.within(refused, () => new TimeoutError("quit", timeout, "unanswered"));
    if (reason.by === "us") throw new ClosedError("quit", "the session was closed here before QEMU ended", { sent: true });
  } finally {
    patience.done();
  }
}

/**
 * Asks the guest to shut down and settles when it has: at QEMU's SHUTDOWN event, or when the connection ends. The reply to
 * `system_powerdown` says no more than that a button was pressed; `undefined` comes where QEMU went before it said why.
 *
 * @throws CommandError, TimeoutError (the guest does not listen); the signal's reason as it is
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

/** How an unplug ended. `refused`: the guest said no. `pending`: it stays asked for, and QEMU has no way to take it back. */
export type Unplugged = { readonly outcome: "gone" } | { readonly outcome: "refused" | "pending"; readonly said: QmpEvent | undefined };

const HINTS = ["DEVICE_DELETED", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR", "ACPI_DEVICE_OST", "RESUME"] as const;

/** How often the state is read without any event: the event for a vCPU does not always come. */
const LOOK_AGAIN = 200;

/**
 * Unplugs a device, by its id or QOM path, and settles when the device is no longer there. Events are taken as hints to look;
 * the state decides, since the event of an unplugged vCPU may never come.
 *
 * @throws CommandError (DeviceNotFound, or it can't be unplugged), ClosedError; the signal's reason as it is
 */
export async function unplug(session: Session, device: string, options: CallOptions = {}): Promise<Unplugged> {
  const { timeout = 30_000, signal } = options;
  const path = device.startsWith("/") ? device : `/machine/peripheral/${device}`;
  const end = performance.now() + timeout;
  let said: QmpEvent | undefined;
  using hints = session.events(HINTS);
  await session.execute("device_del", { id: device }, { signal, timeout });
  for (let hint = hints.next(); ;) {
    if (!(await exists(session, path, signal))) return { outcome: "gone" };
    const left = end - performance.now();
    if (left <= 0) return { outcome: "pending", said };
    const heard = await soon(hint, Math.min(left, LOOK_AGAIN), signal);
    if (heard === undefined) continue;
    if (concerns(heard, device, path)) said = heard;
    if (said !== undefined && isRefusal(said)) return { outcome: "refused", said };
    hint = hints.next();
  }
}

async function exists(session: Session, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await session.execute("qom-list", { path }, { signal });
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
  const patience = new Patience(time, signal);
  try {
    return (await patience.within(hint, () => new QmpctlError("timeout", "not yet"))).value;
  } catch (error) {
    if (error instanceof QmpctlError && error.code === "timeout") return undefined;
    throw error;
  } finally {
    patience.done();
  }
}

function concerns(event: QmpEvent, device: string, path: string): boolean {
  const data = event.data as { readonly device?: string; readonly path?: string; readonly info?: { readonly device?: string } } | undefined;
  return data !== undefined && (data.device === device || data.path === path || data.info?.device === device);
}

/** _OST of ACPI 6: source 3 is an ejection; 0 is done, 132 under way, 131 is pending, all else is a refusal. */
function isRefusal(event: QmpEvent): boolean {
  if (event.event === "DEVICE_UNPLUG_GUEST_ERROR" || event.event === "MEM_UNPLUG_ERROR") return true;
  return event.event === "ACPI_DEVICE_OST" && event.data.info.source === 3 && ![0, 131, 132].includes(event.data.info.status);
}
