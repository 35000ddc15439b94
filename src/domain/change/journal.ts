import { rm } from "node:fs/promises";
import { pid as ownPid } from "node:process";
import { ConfigError } from "../../config/config-error.ts";
import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, replaceFile } from "../../config/safe-file.ts";
import type { Stored } from "../../config/store.ts";
import { QmpctlError } from "../../errors.ts";
import { statusAt } from "../../file-status.ts";
import { bootId } from "../../host/processes.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";
import { isAlive, startTime } from "../../host/threads.ts";
import type { Facts } from "../facts/facts.ts";
import { idIn, isSameFile } from "../machine/machine-id.ts";
import type { Scope } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { kindOf, stepKindOf, threadKinds } from "../resources/registry.ts";
import type { Plan } from "./plan.ts";
import type { ActionRecord, Journal, JournalChange, RecordHead } from "./record.ts";

/** There is something else in the place of the record of a change: what the change was, and how it was before, is lost. */
export class DamagedRecordError extends QmpctlError {
  readonly path: string;

  constructor(path: string, domain: string, options?: { readonly cause?: unknown }) {
    const { cause } = options ?? {};
    const why = cause instanceof ConfigError && cause.problem === "unsafe" ? ` (${cause.message.replace(`${path}: `, "")})` : "";
    super(
      "config",
      `${path}: not a record of a change that this program wrote${why}; look at both halves (qmpctl diff ${shellWord(domain)}), then qmpctl recover ${shellWord(domain)} --forget`,
      options,
    );
    this.path = path;
  }
}

/** The largest record in bytes: it holds a config twice, and each character may take six bytes. */
const LIMIT = 16 * 1024 * 1024;

/**
 * The record of a machine; null if there is none. Without the lock it may be a living writer's. @throws DamagedRecordError when it is not
 * one of ours; ConfigError when it can't be read
 */
export async function readRecord({ journal: path }: Pick<StatePaths, "journal">, domain: string): Promise<Journal | ActionRecord | null> {
  let text: string;
  try {
    ({ text } = await readSafely(path, LIMIT));
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    // Something is there that we did not write: no text, too much of it, a link, a folder, another user's file. The folder is ours alone,
    // so it can be removed.
    if (error instanceof ConfigError && (error.problem === "invalid" || error.problem === "unsafe"))
      throw new DamagedRecordError(path, domain, { cause: error });
    throw error;
  }
  try {
    // Loaded only if there is something to read, which is rare.
    const { record } = await import("./journal-schema.ts");
    return record.parse(JSON.parse(text));
  } catch (cause) {
    // Records are written whole or not at all, so we did not write this.
    throw new DamagedRecordError(path, domain, { cause });
  }
}

/** The record of a plan: what is wanted, and how it was before. */
export function recordOf(
  scope: Scope,
  plan: Plan,
  facts: Facts,
  stored: { readonly text: string } | null,
): Omit<Journal, keyof RecordHead> {
  const { config, live } = facts;
  const changes = plan.changes.map(({ change }): JournalChange => {
    const before = live === null ? null : kindOf(change).inLive(change, live);
    const back = facts.live === null ? null : (kindOf(change).back?.(change, { ...facts, live: facts.live }) ?? before);
    const stored = config === null ? null : kindOf(change).inConfig(change, config);
    const configBack = config === null ? undefined : kindOf(change).configBack?.(change, config);
    return { change, config: stored, live: before, back, ...(configBack === undefined ? {} : { configBack }) };
  });
  return {
    scope,
    changes,
    threads:
      live === null ? [] : threadKinds(plan.changes.map(({ change }) => change)).flatMap(({ ofThreads }) => ofThreads?.had(live) ?? []),
    brings: plan.steps.flatMap(({ step }) => stepKindOf(step).brings?.(step) ?? []),
    own: [...(live?.ownThreads ?? []), ...(live?.vhost ?? []).map(({ tid, affinity }) => ({ tid, affinity, policy: null }))],
    config: plan.text === null || stored === null ? null : { before: stored.text, after: plan.text },
  };
}

/** Writes a record, flushed to disk, whole or not at all. @throws HostError when it can't be written */
export async function writeRecord(
  { journal: path }: Pick<StatePaths, "journal">,
  record: Omit<Journal, keyof RecordHead> | Omit<ActionRecord, keyof RecordHead>,
  stored: Stored | null,
  machine: ProcessIdentity | null,
): Promise<void> {
  const head: RecordHead = {
    writer: ownPid,
    started: (await startTime(ownPid)) ?? null,
    boot: bootId(),
    since: new Date().toISOString(),
    of: stored === null ? null : { path: stored.path, id: stored.config.id ?? null, name: stored.config.name },
    machine,
  };
  await replaceFile(path, JSON.stringify({ ...head, ...record }), { flush: true });
}

/** Whether the process that wrote the record is still working on it. */
export async function isUnderWay({ writer, started, boot }: RecordHead): Promise<boolean> {
  if (boot !== bootId()) return false;
  return started === null ? isAlive(writer) : isStillThere({ pid: writer, started });
}

/** Whether the QEMU of the record still runs; null if its process was never known, as on another host. */
export async function isMachineThere({ machine, boot }: RecordHead): Promise<boolean | null> {
  if (boot !== bootId()) return false;
  return machine === null ? null : isStillThere(machine);
}

/**
 * Whether a record is about this config. If the config was removed, or replaced by another machine's, its records do not count any more.
 */
export async function isAbout({ of }: RecordHead, stored: Stored | null): Promise<boolean> {
  // If the machine is addressed by its monitor, there is no config to compare.
  if (stored === null || of === null) return true;
  const id = stored.config.id ?? null;
  if (id !== of.id) return false;
  if (id === null || of.name === stored.config.name) return id !== null || isSameFile(of.path, stored.path);
  // A copy of a config has the same id, and is another machine while the first config is there. A config that was renamed is the same
  // machine.
  return (await isSameFile(of.path, stored.path)) || (await idIn(of.path)) !== id;
}

/** Removes the record: the change is over. If a folder is in its place, all of that is removed. Of a link only the link is removed. */
export async function removeRecord({ journal: path }: Pick<StatePaths, "journal">): Promise<void> {
  if (statusAt(path) !== undefined) await rm(path, { force: true, recursive: true });
}
