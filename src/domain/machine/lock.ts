/// <reference lib="esnext.disposable" preserve="true" />
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ownUid } from "../../config/own-user.ts";
import { hasFolder, openFolder, statePaths, type StatePaths } from "../../config/runtime.ts";
import { readConfig, type Stored } from "../../config/store.ts";
import { type Deadline, deadlineIn, partOf } from "../../deadline.ts";
import { HostError, isErrorCode } from "../../errors.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import { isStillThere } from "../../host/signal.ts";
import type { Progress } from "../model/change.ts";
import { findMachine, type Whereabouts } from "./find.ts";
import { type Identity, StrangerError } from "./identity.ts";
import { machineIdOf } from "./machine-id.ts";
import { openSession } from "./open.ts";
import type { Place } from "./place.ts";
import { WaitNotice } from "./wait-notice.ts";

/** How long a writer waits for the one before it, in milliseconds, unless the caller gives a time. */
export const LOCK_TIMEOUT = 60_000;

/** By when a writer has to have the lock: the time that it was given, else `LOCK_TIMEOUT`. */
export function lockDeadline(timeout: number | undefined): Deadline {
  return deadlineIn(timeout ?? LOCK_TIMEOUT);
}

/**
 * What a writer has under the lock. Nobody else changes the machine meanwhile. The machine was looked for again after the lock was taken.
 */
export interface Held extends AsyncDisposable {
  readonly books: StatePaths;
  readonly stored: Stored | null;
  /** The QEMU that runs it; null if it is stopped. */
  readonly machine: Identity | null;
  /** What stands in the way of a start. */
  readonly hindrance: string | null;
}

/** By when to have the lock, and who is told meanwhile. */
export interface LockOptions {
  /** By when the lock must be there; `lockDeadline` if absent. */
  readonly by?: Deadline | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Only look: no lock is taken, as nothing will be changed. */
  readonly dryRun?: boolean | undefined;
}

/**
 * S1 Lock, S2 Find: takes a machine's lock. There is one writer at a time, across processes and sessions, however the machine is addressed:
 * the lock is keyed by who the machine is. That is found out again under the lock, because the machine may have been started, ended or
 * replaced while we waited. If it is another one by then, its lock is taken instead.
 *
 * @throws LockedError, which names its holder, when the deadline passes; ConfigError; UnsafeError; the signal's reason
 */
export async function lockMachine(place: Place, options: LockOptions = {}): Promise<Held> {
  const deadline = options.by ?? lockDeadline(undefined);
  using notice = new WaitNotice(options.onProgress);
  notice.enter("waiting for another writer", deadline);
  const mark = options.dryRun === true ? null : await markElsewhere(place, deadline, options.signal);
  let key = mark ?? (await likelyKey(place));
  for (;;) {
    const books = statePaths(place.folders, key);
    const lock = options.dryRun === true ? null : await take(books, deadline, options.signal);
    if (lock === undefined) {
      key = mark ?? (await likelyKey(place));
      continue;
    }
    try {
      const stored = await readStored(place);
      const found = await ownMachine(place, stored);
      if ((mark ?? found.key) === key)
        return { books, stored, machine: found.machine, hindrance: found.hindrance, [Symbol.asyncDispose]: async () => lock?.release() };
      key = found.key;
    } catch (error) {
      await lock?.release();
      throw error;
    }
    await lock?.release();
  }
}

/** How long a QEMU that can't be seen on this host may take to say whether it has a mark, in milliseconds. */
const LOOK = 5000;

/**
 * The mark of a QEMU behind a program, or on another host; null if it has none, or does not answer. Only QMP shows it, and the machine may
 * be known here by its name. It is asked before the lock is waited for: one more client at the monitor would keep the holder of the lock
 * from it.
 */
async function markElsewhere(place: Place, deadline: Deadline, signal: AbortSignal | undefined): Promise<string | null> {
  if (place.address === null) return null;
  const { machine } = await ownMachine(place, null);
  if (machine === null || machine.process !== null) return null;
  try {
    await using _session = await openSession(machine, { by: partOf(deadline, Math.min(LOOK, place.timeout)), signal });
    return machine.id;
  } catch (error) {
    signal?.throwIfAborted();
    if (isErrorCode(error, "usage")) throw error;
    return null;
  }
}

/** The key that it most probably has. A config that can't be read leaves nothing behind, not even a folder for the lock. */
export async function likelyKey(place: Place): Promise<string> {
  const stored = await readStored(place);
  return stored === null ? (await ownMachine(place, null)).key : machineIdOf(stored);
}

/**
 * Finds the machine, and makes sure that its lock is this user's. A config is refused when it is read; a monitor that can be reached may be
 * anybody's. Without a mark, a machine's lock is that of whoever may reach it; but root may reach each, and has to act as its owner.
 *
 * @throws StrangerError; what `findMachine` throws
 */
async function ownMachine(place: Place, stored: Stored | null): Promise<Whereabouts> {
  const found = await findMachine(place, stored);
  const { owner = null, id } = found.machine?.known ?? {};
  const isOthers = owner !== null && owner !== ownUid() && (ownUid() === 0 || id !== null);
  if (isOthers) throw new StrangerError(`${place.name}: it belongs to user ${owner}, who has its lock: run this as that user`);
  return found;
}

async function take(books: StatePaths, deadline: Deadline, signal: AbortSignal | undefined): Promise<Lock | undefined> {
  await openBooks(books);
  if (books.key.startsWith("process-")) await sweepGone(books);
  try {
    return await acquireLock(books.lock, { timeout: deadline.left(), ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    // Somebody undefined it while we waited, and its folder is gone. So its key is found out again.
    if (error instanceof HostError && !(await hasFolder(books.folder))) return undefined;
    throw error;
  }
}

/** Removes what was kept of QEMUs without a mark that have ended: nobody will ask for it again. */
async function sweepGone({ folder }: StatePaths): Promise<void> {
  const state = dirname(folder);
  for (const name of await readdir(state).catch(() => [])) {
    const [, pid, started] = /^@process-(\d+)-(\d+)$/.exec(name) ?? [];
    if (pid !== undefined && !(await isStillThere({ pid: Number(pid), started: Number(started) })))
      await rm(join(state, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Takes a lock whose key is known already. @throws LockedError when the deadline passes; UnsafeError; HostError */
export async function lockBooks(books: StatePaths, deadline: Deadline, signal: AbortSignal | undefined): Promise<Lock> {
  await openBooks(books);
  return acquireLock(books.lock, { timeout: deadline.left(), ...(signal === undefined ? {} : { signal }) });
}

/** Makes the folder of a machine's lock, record and notes if it is missing. @throws UnsafeError; HostError */
export function openBooks(books: StatePaths): Promise<void> {
  return openFolder(books.folder);
}

/**
 * Removes all that was kept of a machine whose config is gone. Its lock goes last: a writer that waits for it then looks again. Call it
 * under the lock.
 */
export async function forgetMachine({ folder, history }: StatePaths): Promise<void> {
  for (const each of new Set([dirname(history), folder])) await rm(each, { recursive: true, force: true }).catch(() => undefined);
}

/** The config of a domain, as it is in its file; null for a transient domain. @throws ConfigError when it is missing, or can't be read */
export async function readStored(place: Place): Promise<Stored | null> {
  return place.config === null ? null : readConfig(place.config);
}
