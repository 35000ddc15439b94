import { rm } from "node:fs/promises";
import type { ConfigPlace } from "../../config/locate.ts";
import { runtimePaths, statePaths, type StatePaths } from "../../config/runtime.ts";
import { createConfig, readConfig, removeAlias, removeConfig, type Stored } from "../../config/store.ts";
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
import { type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import { readProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import { StateError } from "../model/errors.ts";
import { ownerOf, withId, withOwnMonitor } from "./definition-identity.ts";
import type { Definition } from "./definition.ts";
import { refuseKept } from "./running/refuse-kept.ts";
import { type DefineSource, readSource } from "./source.ts";

export type { DefineSource } from "./source.ts";

/** Options of `define`. */
export interface DefineOptions extends DomainOptions {
  /** The domain's name; else the one in the source. */
  readonly name?: string | undefined;
  /** Replace a config that is there already. */
  readonly replace?: boolean | undefined;
  /** Adopt a process even if libvirt, Proxmox, Incus or a container manages it. */
  readonly force?: boolean | undefined;
}

/**
 * Defines a domain: checks its config, and writes it into the config folder under its name.
 *
 * @returns its place, and notes for the caller
 * @throws UsageError when the source is no QEMU, or the name can't be one; ConfigError when the config is wrong, or there is one already;
 * StateError when its monitor or its process is another domain's, or somebody else manages its process; InterruptedError when the machine
 * of the old config has a change to
 * resolve; LockedError
 */
export async function defineDomain(source: DefineSource, options: DefineOptions): Promise<Written> {
  return writeDraft(await draftDomain(source, options), options);
}

/** Where a definition was written, and notes for the caller. */
export interface Written {
  readonly place: Place;
  readonly notes: readonly string[];
}

/** Writes a definition that was worked out. @throws as `defineDomain` does */
export async function writeDraft({ place, config, old, made }: Draft, { replace = false }: DefineOptions): Promise<Written> {
  const id = made.config.id ?? "";
  const books = statePaths(place.folders, id);
  await using _lock = await lockFor(place, old, books);
  await sweep(old ?? null);
  const began = new Date().toISOString();
  const stored = await createConfig(config, made.text, { replace });
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
  return draftOf(await readSource(source, options.name), options);
}

/** The same of a definition that was read already. @throws as `defineDomain` does, but for what shows only under the lock */
export async function draftOf(read: Definition, options: DefineOptions): Promise<Draft> {
  if (read.process !== undefined && options.force !== true) refuseKept(read.process);
  const drafted = await withOwnMonitor(read, options);
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
  /** What became of its unit, if it started with the host. */
  readonly notes?: readonly string[];
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
