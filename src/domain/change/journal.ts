import { rm } from "node:fs/promises";
import { pid as ownPid } from "node:process";
import { ConfigError } from "../../config/config-error.ts";
import type { StatePaths } from "../../config/runtime.ts";
import { readSafely, replaceFile } from "../../config/safe-file.ts";
import type { Stored } from "../../config/store.ts";
import { QmpctlError } from "../../errors.ts";
import { bootId } from "../../host/processes.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";
import { isAlive, startTime } from "../../host/threads.ts";
import type { Facts } from "../facts/facts.ts";
import { idIn, isSameFile } from "../machine/machine-id.ts";
import type { Scope } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { kindOf } from "../resources/registry.ts";
import type { Plan } from "./plan.ts";
import type { ActionRecord, Journal, JournalChange, RecordHead } from "./record.ts";

/** What lies where the record of a change should be is none that we wrote: what it was, and how it was before, can't be told any more. */
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

/** It has a config twice, and each of its characters may take six. */
const LIMIT = 16 * 1024 * 1024;

/**
 * The record that lies with a machine; null where there is none. Without the lock it may be a living writer's. @throws DamagedRecordError,
 * ConfigError
 */
export async function readRecord({ journal: path }: Pick<StatePaths, "journal">, domain: string): Promise<Journal | ActionRecord | null> {
  let text: string;
  try {
    ({ text } = await readSafely(path, LIMIT));
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    // Something is there that is none of ours: no text, too much of it, a link, a folder, somebody else's file. The folder is ours alone,
    // so it can be put away.
    if (error instanceof ConfigError && (error.problem === "invalid" || error.problem === "unsafe"))
      throw new DamagedRecordError(path, domain, { cause: error });
    throw error;
  }
  try {
    // Loaded when there is something to read, which is hardly ever.
    const { record } = await import("./journal-schema.ts");
    return record.parse(JSON.parse(text));
  } catch (cause) {
    // It is written whole or not at all, so this is nothing that we wrote.
    throw new DamagedRecordError(path, domain, { cause });
  }
}

/** The record of a plan: what is wanted, and how it is before. */
export function recordOf(
  scope: Scope,
  plan: Plan,
  { config, live, asked }: Facts,
  stored: { readonly text: string } | null,
): Omit<Journal, keyof RecordHead> {
  const changes = plan.changes.map(({ change }): JournalChange => {
    const before = live === null ? null : kindOf(change).inLive(change, live);
    const target = change.resource === "memory" && live !== null ? (asked.balloon ?? before) : before;
    return { change, config: config === null ? null : kindOf(change).inConfig(change, config), live: before, back: target };
  });
  const masks = (live?.vcpus ?? []).flatMap(({ index, affinity }) => (affinity === null ? [] : [[String(index), affinity] as const]));
  return {
    scope,
    changes,
    masks: Object.fromEntries(masks),
    config: plan.text === null || stored === null ? null : { before: stored.text, after: plan.text },
  };
}

/** Writes a record, flushed to disk, whole or not at all. @throws HostError */
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

/** Whether the process that wrote the record still is at it. */
export async function isUnderWay({ writer, started, boot }: RecordHead): Promise<boolean> {
  if (boot !== bootId()) return false;
  return started === null ? isAlive(writer) : isStillThere({ pid: writer, started });
}

/** Whether the QEMU that it was made on still runs; null where its process was never known, as it is on another host. */
export async function isMachineThere({ machine, boot }: RecordHead): Promise<boolean | null> {
  if (boot !== bootId()) return false;
  return machine === null ? null : isStillThere(machine);
}

/** Whether a record is about this config: one that was removed, or replaced by another machine's, takes its records with it. */
export async function isAbout({ of }: RecordHead, stored: Stored | null): Promise<boolean> {
  // Addressed by its monitor, a machine shows no config to compare.
  if (stored === null || of === null) return true;
  const id = stored.config.id ?? null;
  if (id !== of.id) return false;
  if (id === null || of.name === stored.config.name) return id !== null || isSameFile(of.path, stored.path);
  // A copy has the same id, and is another machine while the first one is there; a config that was renamed is the same.
  return (await isSameFile(of.path, stored.path)) || (await idIn(of.path)) !== id;
}

/** The change is over, one way or the other. Where a folder lies in its place, all of that goes; a link goes, and not what it leads to. */
export async function removeRecord({ journal: path }: Pick<StatePaths, "journal">): Promise<void> {
  await rm(path, { force: true, recursive: true });
}
