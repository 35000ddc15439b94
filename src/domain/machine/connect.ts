import { deadlineIn } from "../../deadline.ts";
import type { Session } from "../../qmp/session.ts";
import type { MonitorOptions } from "../model/action.ts";
import { notRunning } from "../model/errors.ts";
import { findMachine } from "./find.ts";
import { readStored } from "./lock.ts";
import { openReader, openSession } from "./open.ts";
import type { Place } from "./place.ts";

/**
 * Connects to one of a machine's monitors, for QMP of the caller's own. No lock is taken.
 *
 * @throws StateError when it does not run; StrangerError when another QEMU answers; ConfigError; the session's errors; the signal's reason
 */
export async function connectMachine(place: Place, { monitor, timeout, signal }: MonitorOptions): Promise<Session> {
  const { machine, hindrance } = await findMachine(place, await readStored(place));
  if (machine === null) throw notRunning(place.name, hindrance);
  const { watch } = machine.known;
  const options = { by: deadlineIn(timeout ?? place.timeout), signal };
  if (monitor === "any") return openReader(machine, options, "watch");
  return openSession(machine, options, monitor === "watch" && watch !== null ? watch : undefined);
}
