import { fromCommandLine } from "../../config/command-line.ts";
import { type LaunchConfig, parseLaunchConfig } from "../../config/launch.ts";
import { readSafely } from "../../config/safe-file.ts";
import { readShellWords } from "../../config/shell-words.ts";
import { createConfig, readConfig, removeConfig } from "../../config/store.ts";
import { HostError, UsageError } from "../../errors.ts";
import { commandLineOf } from "../../host/threads.ts";
import { lockDomain } from "../machine/lock.ts";
import { StateError } from "../errors.ts";
import { findFor, readStored } from "../facts.ts";
import { type DomainOptions, type Place, placeOf } from "../machine/place.ts";

/**
 * Where a config comes from: a file (a launch config, or a script with one QEMU command in it), a QEMU command line in words,
 * or the command line of a process that runs.
 */
export type DefineSource = { readonly file: string } | { readonly argv: readonly string[] } | { readonly pid: number };

/** Options of `define`. */
export interface DefineOptions extends DomainOptions {
  /** The domain's name, where the source has none or another. */
  readonly name?: string;
  /** Put it in the place of a config that is there already. */
  readonly replace?: boolean;
}

/** A config read from a source, and what was taken out or moved on the way. */
interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
}

/** Defines a domain: its config is checked, and written into the config folder under its name. Gives the name and what is to be told. */
export async function defineDomain(source: DefineSource, options: DefineOptions): Promise<{ readonly place: Place; readonly notes: readonly string[] }> {
  const { text, config, notes } = await read(source, options.name);
  const place = await placeOf(config.name, options);
  if (place.config === null) throw new UsageError(`name ${JSON.stringify(config.name)}: reads as a monitor's address`, { value: config.name, expected: "a name" });
  await using _lock = await lockDomain(place, { defining: true });
  await createConfig(place.config, text, { replace: options.replace ?? false });
  const running = (await findFor(place, null)) !== null;
  return { place, notes: running ? [...notes, "it runs: the new config is for its next start"] : notes };
}

async function read(source: DefineSource, name: string | undefined): Promise<Definition> {
  if ("argv" in source) return fromCommandLine(source.argv, named(name));
  if ("pid" in source) return fromCommandLine(await processArguments(source.pid), named(name));
  const { text } = await readSafely(source.file);
  if (!text.trimStart().startsWith("{")) return fromCommandLine(readShellWords(text), named(name));
  const config = parseLaunchConfig(text, source.file);
  if (name !== undefined && name !== config.name) {
    throw new UsageError(`name ${JSON.stringify(name)}: the config in ${source.file} names itself ${JSON.stringify(config.name)}`, { value: name, expected: "the same name, or none" });
  }
  return { text, config, notes: [] };
}

function named(name: string | undefined): { readonly name?: string } {
  return name === undefined ? {} : { name };
}

async function processArguments(pid: number): Promise<readonly string[]> {
  const argv = await commandLineOf(pid);
  if (argv === undefined) throw new HostError(`process ${pid}: there is none, or its command line can't be read`);
  return argv;
}

/** Removes a domain's config. @throws StateError while it runs: its config is what the next start uses */
export async function undefineDomain(place: Place): Promise<void> {
  if (place.config === null) throw new StateError(`${place.name}: a transient machine has no config`, "unreachable");
  await using _lock = await lockDomain(place, {});
  const stored = await readConfig(place.config);
  if ((await findFor(place, await readStored(place))) !== null) {
    throw new StateError(`${place.name}: it runs; shut it down or destroy it first`, "running");
  }
  await removeConfig(stored);
}
