import { open, rename, rm } from "node:fs/promises";
import { pid as ownPid } from "node:process";
import { ConfigError } from "../config/config-error.ts";
import type { RuntimePaths } from "../config/runtime.ts";
import { readSafely } from "../config/safe-file.ts";
import { HostError, messageOf, QmpctlError } from "../errors.ts";
import { identify, isStillThere, type ProcessIdentity } from "../host/signal.ts";
import { isAlive, startTime } from "../host/threads.ts";
import type { Change, Scope, Value } from "./change.ts";
import type { Place } from "./machine/place.ts";
import type { Plan } from "./plan.ts";
import type { Facts } from "./resource.ts";
import { kindOf } from "./resources.ts";

/**
 * What a writer is about to do, and how it was before: kept beside the machine's sockets from before the first live step
 * until the change is committed or taken back. One that is found under the lock means that its writer died.
 */
export interface Journal {
  readonly writer: number;
  /** When that process was started: ids are reused. */
  readonly started: number | null;
  /** ISO 8601. */
  readonly since: string;
  readonly scope: Scope;
  readonly changes: readonly JournalChange[];
  /** The QEMU that was being changed; another one by now has no part in it. */
  readonly machine: ProcessIdentity | null;
  /** The masks of the vCPUs' threads: one that is plugged again has a new thread. */
  readonly masks: Readonly<Record<string, string>>;
  /** The config's text before, and after; null where the config has no part in it. */
  readonly config: { readonly before: string; readonly after: string } | null;
}

/** One change, and what each half had before. */
export interface JournalChange {
  readonly change: Change;
  readonly config: Value;
  readonly live: Value;
  /** What the live half goes back to: where the guest was still on its way, that is the target it had. */
  readonly back: Value;
}

/** What lies where the record of a change should be is none that we wrote: what it was, and how it was before, can't be told any more. */
export class DamagedRecordError extends QmpctlError {
  readonly path: string;

  constructor(path: string, domain: string, options?: { readonly cause?: unknown }) {
    super("config", `${path}: not a record of a change that this program wrote; look at both halves (qmpctl diff ${domain}), then qmpctl recover ${domain} --forget`, options);
    this.path = path;
  }
}

/** It has a config twice, and each of its characters may take six. */
const LIMIT = 16 * 1024 * 1024;

/** The record that a dead writer left; null where there is none. Call it under the lock: else it may be a living writer's. @throws DamagedRecordError, ConfigError */
export async function readJournal({ name, runtime: { journal: path } }: Pick<Place, "name" | "runtime">): Promise<Journal | null> {
  let text: string;
  try {
    ({ text } = await readSafely(path, LIMIT));
  } catch (error) {
    if (error instanceof ConfigError && error.problem === "missing") return null;
    // Ours, and no text, or too much of it.
    if (error instanceof ConfigError && error.problem === "invalid") throw new DamagedRecordError(path, name, { cause: error });
    throw error;
  }
  try {
    // Loaded when there is something to read, which is hardly ever.
    const { journal } = await import("./journal-schema.ts");
    return journal.parse(JSON.parse(text));
  } catch (cause) {
    // It is written whole or not at all, so this is nothing that we wrote.
    throw new DamagedRecordError(path, name, { cause });
  }
}

/** The record of a plan: what is wanted, and how it is before. */
export function recordOf(scope: Scope, plan: Plan, { config, live, asked }: Facts, stored: { readonly text: string } | null): Omit<Journal, "writer" | "started" | "since" | "machine"> {
  const changes = plan.changes.map(({ change }): JournalChange => {
    const before = live === null ? null : kindOf(change).inLive(change, live);
    const target = change.resource === "memory" && live !== null ? (asked.balloon ?? before) : before;
    return { change, config: config === null ? null : kindOf(change).inConfig(change, config), live: before, back: target };
  });
  const masks = (live?.vcpus ?? []).flatMap(({ index, affinity }) => (affinity === null ? [] : [[String(index), affinity] as const]));
  return { scope, changes, masks: Object.fromEntries(masks), config: plan.text === null || stored === null ? null : { before: stored.text, after: plan.text } };
}

/** Writes the record, flushed to disk, whole or not at all. */
export async function writeJournal({ journal: path }: RuntimePaths, record: Omit<Journal, "writer" | "started" | "since" | "machine">, machine: number | null): Promise<void> {
  const written: Journal = { ...record, machine: machine === null ? null : ((await identify(machine)) ?? { pid: machine, started: -1 }), writer: ownPid, started: (await startTime(ownPid)) ?? null, since: new Date().toISOString() };
  const fresh = `${path}.new`;
  try {
    await rm(fresh, { force: true });
    await using file = await open(fresh, "wx", 0o600);
    await file.writeFile(JSON.stringify(written));
    await file.sync();
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
}

/** Whether the process that wrote the record still is at it. */
export async function isUnderWay({ writer, started }: Journal): Promise<boolean> {
  return started === null ? isAlive(writer) : isStillThere({ pid: writer, started });
}

/** The change is over, one way or the other. */
export async function removeJournal({ journal: path }: RuntimePaths): Promise<void> {
  await rm(path, { force: true });
}
