import { CommandError, TimeoutError } from "./errors.ts";
import type { CallOptions, Session } from "./session.ts";

/** The commands that this QEMU takes out of band, by its own schema. Costs one `query-qmp-schema`, about 200 KB. */
export async function oobCommands(session: Session, options: CallOptions = {}): Promise<ReadonlySet<string>> {
  const schema = await session.execute("query-qmp-schema", {}, options);
  return new Set(schema.filter((entry) => entry["allow-oob"] === true).map((entry) => entry.name));
}

/**
 * How a monitor is.
 *
 * - `ready`: it answers commands
 * - `busy`: it is alive, and another command occupies it, perhaps on another monitor
 * - `dead`: it answers nothing, out of band either: QEMU is stopped, or stuck
 * - `silent`: busy or dead; without out-of-band commands nobody can tell
 */
export type Liveness = "ready" | "busy" | "dead" | "silent";

/**
 * Asks a monitor whether it is alive; takes up to `timeout` milliseconds, 1000 unless told. Rejects when the session ends, or by the
 * signal.
 */
export async function probe(session: Session, options: CallOptions = {}): Promise<Liveness> {
  const { signal, timeout = 1000 } = options;
  const within = { signal, timeout };
  const [command, oob] = await Promise.all([
    answered(session.execute("query-version", {}, within)),
    // QEMU refuses this one out of band, and does so at once: an answer is all that we want.
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
