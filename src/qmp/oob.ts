import { CommandError, TimeoutError } from "./errors.ts";
import type { CallOptions, Session } from "./session.ts";

/**
 * The commands that this QEMU accepts out of band, by its own schema. This costs one `query-qmp-schema`, about 200 KB.
 *
 * @throws what {@link Session.execute} does
 */
export async function oobCommands(session: Session, options: CallOptions = {}): Promise<ReadonlySet<string>> {
  const schema = await session.execute("query-qmp-schema", {}, options);
  return new Set(schema.filter((entry) => entry["allow-oob"] === true).map((entry) => entry.name));
}

/**
 * The state of a monitor.
 *
 * - `ready`: it answers commands
 * - `busy`: it is alive, but another command occupies it, perhaps on another monitor
 * - `dead`: it answers nothing, not even out of band: QEMU is stopped, or stuck
 * - `silent`: busy or dead. Without out-of-band commands the two can't be told apart
 */
export type Liveness = "ready" | "busy" | "dead" | "silent";

/**
 * Asks a monitor whether it is alive. Takes up to `timeout` milliseconds, 1000 unless told.
 *
 * @throws ClosedError when the session ends; the signal's reason as it is
 */
export async function probe(session: Session, options: CallOptions = {}): Promise<Liveness> {
  const { signal, timeout = 1000 } = options;
  const within = { signal, timeout };
  const [command, oob] = await Promise.all([
    answered(session.execute("query-version", {}, within)),
    // QEMU refuses this command out of band, and does so at once. Any answer is enough.
    session.oob ? answered(session.executeOob("query-version", {}, within)) : false,
  ]);
  if (command) return "ready";
  if (oob) return "busy";
  return session.oob ? "dead" : "silent";
}

async function answered(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof CommandError) return true;
    if (error instanceof TimeoutError) return false;
    throw error;
  }
}
