import { lstat, rm } from "node:fs/promises";
import { listNames } from "../../config/config-folder.ts";
import { editJson } from "../../config/edit.ts";
import type { ConfigPlace } from "../../config/locate.ts";
import type { Mark } from "../../config/mark.ts";
import { runtimePaths, statePaths, type StatePaths } from "../../config/runtime.ts";
import { createConfig, readConfig, removeAlias, removeConfig, type Stored } from "../../config/store.ts";
import { randomUuid } from "../../digest.ts";
import { isErrorCode, UsageError } from "../../errors.ts";
import { acquireLock } from "../../host/lock.ts";
import type { Process } from "../../host/processes.ts";
import { tellAction } from "../change/telling.ts";
import { refuseUnresolved, sweep } from "../change/unresolved.ts";
import { forgetEnds } from "../ends/forget.ts";
import { readWords } from "../machine/command-line.ts";
import { isInUse } from "../machine/find-address.ts";
import { findMachine } from "../machine/find.ts";
import { forgetMachine, LOCK_TIMEOUT, lockMachine, openBooks } from "../machine/lock.ts";
import { isSameFile, isSamePlace, machineIdOf } from "../machine/machine-id.ts";
import { domainFolders, type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import { readProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import { StateError } from "../model/errors.ts";
import { defineFrom } from "./board.ts";
import type { Definition } from "./definition.ts";
import { type DefineSource, readSource } from "./source.ts";

export type { DefineSource } from "./source.ts";

/** Options of `define`. */
export interface DefineOptions extends DomainOptions {
  /** The domain's name; else the one in the source. */
  readonly name?: string | undefined;
  /** Replace a config that is there already. */
  readonly replace?: boolean | undefined;
}

/**
 * Defines a domain: checks its config, and writes it into the config folder under its name.
 *
 * @returns its place, and notes for the caller
 * @throws UsageError when the source is no QEMU, or the name can't be one; ConfigError when the config is wrong, or there is one already;
 * StateError when its monitor or its process is another domain's; InterruptedError when the machine of the old config has a change to
 * resolve; LockedError
 */
export async function defineDomain(
  source: DefineSource,
  options: DefineOptions,
): Promise<{ readonly place: Place; readonly notes: readonly string[] }> {
  const { place, config, old, made } = await draftDomain(source, options);
  const id = made.config.id ?? "";
  const books = statePaths(place.folders, id);
  await using _lock = await lockFor(place, old, books);
  await sweep(old ?? null);
  const began = new Date().toISOString();
  const stored = await createConfig(config, made.text, { replace: options.replace ?? false });
  const about =
    made.process !== undefined ? `process ${made.process.pid} adopted` : old === undefined ? undefined : "the config was replaced";
  const untold = await tellAction(books, { what: "define", domain: place.name, began, outcome: "done", about });
  if (made.process !== undefined) await adopt(stored, books, made.process);
  const { machine } = await findMachine(place, stored);
  const runs = machine === null ? null : `it runs${machine.pid === null ? "" : ` (process ${machine.pid})`}`;
  const more = [untold, runs === null ? null : `${runs}: the new config is for its next start`];
  return { place, notes: [...made.notes, ...more.filter((note) => note !== null)] };
}

/** A definition that is not written. */
export interface Draft {
  readonly place: Place;
  readonly config: ConfigPlace;
  /** The config that it would replace; undefined where there is none, or none that can be read. */
  readonly old: Stored | undefined;
  readonly made: Definition;
}

/** Works out what `defineDomain` would write. @throws as that does, but for what shows only under the lock */
export async function draftDomain(source: DefineSource, options: DefineOptions): Promise<Draft> {
  const drafted = await withOwnMonitor(await readSource(source, options.name), options);
  const place = await placeOf(drafted.config.name, options);
  const { config } = place;
  if (config === null)
    throw new UsageError(`name ${JSON.stringify(drafted.config.name)}: looks like a monitor's address`, {
      value: drafted.config.name,
      expected: "a name",
    });
  const old = await readConfig(config).catch((error: unknown) => {
    if (isErrorCode(error, "config")) return undefined;
    throw error;
  });
  return { place, config, old, made: await withId(drafted, old, place) };
}

/** The lock of the machine whose config is replaced, which must have nothing left to resolve; a new machine's own lock otherwise. */
async function lockFor(place: Place, old: Stored | undefined, books: StatePaths): Promise<AsyncDisposable> {
  await openBooks(books);
  if (old === undefined) return acquireLock(books.lock, { timeout: LOCK_TIMEOUT });
  const held = await lockMachine(place);
  try {
    await refuseUnresolved(place, held);
    return held;
  } catch (error) {
    await held[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Gives the definition the id of its machine. That is the id of the config that it replaces, because a running machine is still the same;
 * or of the process that it adopts; or its own, if no other config has that; else a new one.
 */
async function withId(made: Definition, old: Stored | undefined, place: Place): Promise<Definition> {
  await refuseAdopted(made, place);
  const mark = made.process === undefined ? undefined : readWords(made.process.argv).mark;
  const owner =
    mark === undefined ? undefined : ((await ownerOf(mark.id, place, made.config.name)) ?? (await configElsewhere(mark, place)));
  if (owner !== undefined && made.process !== undefined)
    throw new StateError(`process ${made.process.pid}: it is ${owner}, which has a config already`, "running");
  const own = made.config.id;
  const taken = own === undefined ? undefined : await ownerOf(own, place, made.config.name);
  const id = old !== undefined ? await machineIdOf(old) : (mark?.id ?? (taken === undefined ? own : undefined) ?? randomUuid());
  if (id === own) return made;
  const text = withKey(made.text, id);
  return {
    ...made,
    text,
    config: { ...made.config, id },
    notes: taken === undefined ? made.notes : [...made.notes, `its id was that of ${taken}: it has one of its own now`],
  };
}

/** Puts the id behind the name, where a person looks for it; else at the end. */
function withKey(text: string, id: string): string {
  const edited = editJson(text, [{ path: ["id"], value: id }]);
  const [, name, gap] = /^(\s*\{\s*"name"\s*:\s*"(?:[^"\\]|\\.)*",)(\s*)/.exec(text) ?? [];
  const isNew = !/^\s*"id"\s*:/m.test(text);
  return name === undefined || !isNew ? edited : `${name}${gap}"id": ${JSON.stringify(id)},${text.slice(name.length)}`;
}

/** Refuses a QEMU that another config of the folder already runs. */
async function refuseAdopted({ process, config }: Definition, { folders, timeout }: Place): Promise<void> {
  if (process === undefined) return;
  const options = { configDir: folders.config, runtimeDir: folders.runtime, stateDir: folders.state, timeout };
  for (const { stored } of await others(config.name, options)) {
    const { machine } = await findMachine(await placeOf(stored.place.named ? stored.place.name : stored.path, options), stored);
    if (machine?.pid === process.pid)
      throw new StateError(`process ${process.pid}: it is ${stored.config.name}, which has a config already`, "running");
  }
}

/** The config that a machine was started from, if it is still there and is not the one being defined. */
async function configElsewhere({ path }: Mark, { config }: Place): Promise<string | undefined> {
  const isThere = (await lstat(path).catch(() => undefined)) !== undefined;
  return isThere && !(await isSameFile(path, config?.path ?? "")) ? `the machine of ${path}` : undefined;
}

/** The name of the domain in the config folder, other than `except`, that has this id. */
async function ownerOf(id: string, { folders, timeout }: Place, except: string): Promise<string | undefined> {
  for (const { stored } of await others(except, { configDir: folders.config, timeout }))
    if ((await machineIdOf(stored)) === id) return stored.config.name;
  return undefined;
}

/**
 * Takes care of a monitor that another config has already: the second machine would take the path from the first. A process that listens
 * there is adopted all the same, and has no such monitor from its next start on.
 *
 * @throws StateError when the monitor is another config's
 */
export async function withOwnMonitor(made: Definition, options: DomainOptions): Promise<Definition> {
  const { name, monitor } = made.config;
  if (monitor === undefined) return made;
  const configs = await others(name, options);
  const isShared = await Promise.all(
    configs.map(async ({ stored }) => stored.config.monitor !== undefined && isSamePlace(stored.config.monitor, monitor)),
  );
  const other = configs[isShared.indexOf(true)]?.stored;
  if (other === undefined) return made;
  const why = `its monitor ${monitor} is that of ${other.config.name} already (${other.path})`;
  if (made.process === undefined) throw new StateError(`${name}: ${why}: give it a path of its own, or none`, "settled");
  const without = await defineFrom(made.process.argv, { name, monitor: false, running: true });
  return { ...without, process: made.process, notes: [...without.notes, `${why}: from its next start on it has no monitor there`] };
}

/** The configs of the folder that can be read, except one. */
async function others(except: string, options: DomainOptions): Promise<readonly { readonly stored: Stored }[]> {
  const names = await listNames(domainFolders(options));
  const read = names
    .filter((name) => name !== except)
    .map(async (name) => {
      const { config } = await placeOf(name, options);
      return config === null ? undefined : { stored: await readConfig(config) };
    });
  return (await Promise.allSettled(read)).flatMap((each) => (each.status === "fulfilled" && each.value !== undefined ? [each.value] : []));
}

/** Writes down the process that runs already as this machine's. It may have no mark: then it is known by its process. */
async function adopt(stored: Stored, books: StatePaths, { pid, started, argv }: Process): Promise<void> {
  await writeProcessRecord(books, {
    process: { pid, started },
    how: "adopted",
    config: stored.path,
    folder: readWords(argv).folder,
    since: new Date().toISOString(),
  });
}

/** What was removed: a second name of a domain, which stays, or the domain with its second names. */
export interface UndefineReport {
  readonly alias: string | null;
  readonly links: readonly string[];
}

/**
 * Removes a domain's config, and what was kept of its machine. If the domain was opened by a second name, a link to its config, only the
 * link is removed.
 *
 * @throws StateError while it runs, because the next start would use its config; InterruptedError when a change has to be resolved;
 * LockedError
 */
export async function undefineDomain(place: Place): Promise<UndefineReport> {
  if (place.config === null) throw new StateError(`${place.name}: a transient machine has no config`, "unreachable");
  if (place.config.alias !== undefined) {
    await removeAlias(place.config.alias);
    return { alias: place.config.alias, links: [] };
  }
  await using held = await lockMachine(place);
  await refuseUnresolved(place, held);
  const { stored, machine, books, hindrance } = held;
  if (machine !== null) throw stillRuns(place.name, machine.pid);
  if (stored === null) return { alias: null, links: [] };
  await sweep(stored);
  const id = stored.config.id;
  // If this is a copy of another config, what is kept of the machine belongs to the other one.
  const isCopy = hindrance !== null || (id !== undefined && (await ownerOf(id, place, stored.config.name)) !== undefined);
  const folder = (await readProcessRecord(books))?.folder ?? null;
  const report = { alias: null, links: await removeConfig(stored) };
  if (isCopy) return report;
  const usual = runtimePaths(place.folders, place.config.key);
  if (!(await isInUse(usual))) await rm(usual.folder, { recursive: true, force: true }).catch(() => undefined);
  if (folder !== null && folder !== usual.folder) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  await forgetEnds(books);
  await forgetMachine(books);
  return report;
}

/** The error for the removal of a config whose machine runs. */
export function stillRuns(name: string, pid: number | null): StateError {
  return new StateError(`${name}: it runs${pid === null ? "" : ` (process ${pid})`}; shut it down or destroy it first`, "running");
}
