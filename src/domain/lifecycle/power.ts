import { QmpctlError } from "../../errors.ts";
import { notRunning } from "../errors.ts";
import type { ReadOptions } from "../inspect.ts";
import { lockMachine } from "../machine/lock.ts";
import { openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { refuseUnresolved } from "../unresolved.ts";

/** Freezes the guest (`stop`), and reads back that it is. Frozen already counts as done. */
export function suspendMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, options, "stop", (running) => !running);
}

/** Lets a frozen guest go on (`cont`), and reads back that it does. */
export function resumeMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, options, "cont", (running) => running);
}

/** Resets the machine, as its reset button would: the same QEMU goes on, with what it was given. */
export function resetMachine(place: Place, options: ReadOptions): Promise<void> {
  return command(place, options, "system_reset", () => true);
}

async function command(place: Place, options: ReadOptions, name: "stop" | "cont" | "system_reset", reached: (running: boolean) => boolean): Promise<void> {
  await using held = await lockMachine(place, options);
  // One whose start was interrupted would run without its pins and its memory target.
  await refuseUnresolved(place, held);
  const { machine, hindrance } = held;
  if (machine === null) throw notRunning(place.name, hindrance);
  await using monitor = await openMonitor(place.name, machine, { timeout: Math.min(place.timeout, options.timeout ?? place.timeout), signal: options.signal, heldTimeout: options.timeout });
  // Each may be sent twice, and a QEMU that dies of it (7.2 under TCG can, at a reset after an unplug) is told as dead.
  await monitor.ask((session) => session.execute(name));
  const { status, running } = await monitor.ask((session) => session.execute("query-status"));
  if (!reached(running)) throw new QmpctlError("command", `${place.name}: QEMU took ${name}, and the machine is ${status}`);
}
