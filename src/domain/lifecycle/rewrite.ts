import { ConfigError } from "../../config/config-error.ts";
import { prepareConfig } from "../../config/store.ts";
import { UsageError } from "../../errors.ts";
import { tellAction } from "../change/telling.ts";
import { refuseUnresolved, sweep } from "../change/unresolved.ts";
import { lockMachine } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { StateError } from "../model/errors.ts";
import { withOwnMonitor } from "./definition-identity.ts";
import { configIn } from "./source.ts";

/** A config that has another text now. */
export interface RewriteReport {
  readonly path: string;
  /** The text as it was written: relative paths are absolute. */
  readonly text: string;
  /** The machine runs, and goes on as it is: the text is for its next start. */
  readonly isForNextStart: boolean;
  readonly notes: readonly string[];
}

/**
 * Puts another text in the place of a config's, in one step and checked as `define` does. `before`: the text that it replaces; if somebody
 * has changed that, nothing is written.
 *
 * @throws ConfigError `changed`, `invalid`, `io`; UsageError for another machine's id; StateError for a transient domain, or a monitor that
 * is another domain's; InterruptedError when a change has to be resolved; LockedError
 */
export async function rewriteConfig(place: Place, text: string, before: string): Promise<RewriteReport> {
  if (place.config === null) throw new StateError(`${place.name}: a transient machine has no config`, "unreachable");
  const { path } = place.config;
  const made = configIn(text, path);
  await using held = await lockMachine(place);
  await refuseUnresolved(place, held);
  const { stored, machine, books } = held;
  if (stored === null || stored.text !== before) throw new ConfigError(path, "changed", "somebody else changed it since it was read");
  const { id } = stored.config;
  if (made.config.id !== id)
    throw new UsageError(`id: ${JSON.stringify(made.config.id ?? null)} would make it another machine`, {
      value: made.config.id,
      expected: id === undefined ? "no id: define gives it one" : `${JSON.stringify(id)}, as it was`,
    });
  const { config: configDir, runtime: runtimeDir, state: stateDir } = place.folders;
  await withOwnMonitor(made, { configDir, runtimeDir, stateDir });
  await sweep(stored);
  const began = new Date().toISOString();
  const prepared = await prepareConfig(stored, made.text);
  try {
    await prepared.commit();
  } finally {
    await prepared.drop();
  }
  const untold = await tellAction(books, { what: "define", domain: place.name, began, outcome: "done", about: "the config was edited" });
  const notes = [...made.notes, prepared.note, untold].filter((note) => note !== null);
  return { path, text: made.text, isForNextStart: machine !== null, notes };
}
