/// <reference lib="esnext.disposable" preserve="true" />
import { closeSync, ftruncateSync } from "node:fs";
import { pid } from "node:process";
import { deadlineIn } from "../deadline.ts";
import { runFlock } from "./flock.ts";
import { isStillThere, openLockFile, readHolder, writeHolder } from "./lock-file.ts";
import { LockedError } from "./locked-error.ts";
import { commandOf } from "./threads.ts";

export type { LockHolder } from "./lock-holder.ts";
export { LockedError } from "./locked-error.ts";

/**
 * `timeout` is in milliseconds, 10000 unless told; 0 does not wait. `holder` tells others what we do; the process's command line unless
 * told.
 */
export interface LockOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly holder?: string;
}

/** A lock, held until it is released or its process ends. It may be released twice. */
export interface Lock extends AsyncDisposable {
  readonly path: string;
  release(): Promise<void>;
}

/**
 * Takes the exclusive flock(2) lock on a file, the same lock that a shell script's `flock FILE` takes. The file is created with mode 0600
 * if it is missing.
 *
 * @throws LockedError when the lock is not free by the deadline; UnsafeError when the file is not ours; HostError when flock fails; the
 *   signal's reason as it is
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const { timeout = 10_000, signal } = options;
  const deadline = deadlineIn(timeout);
  for (;;) {
    const file = await openLockFile(path);
    try {
      const free = await runFlock(file, deadline.left(), signal);
      if (!free) await refuse(file, path, timeout);
      if (await isStillThere(file, path)) return await hold(file, path, options.holder);
    } catch (error) {
      closeSync(file);
      throw error;
    }
    closeSync(file); // the last holder removed the file while we waited, so the lock is on another one now
  }
}

/** How often to look for a holder, which may have only just taken the lock, or have released it by now. */
const LOOKS = 3;

/** Reports who holds the lock. If nobody can be found, it may have been released just now; then it is taken after all. */
async function refuse(file: number, path: string, waited: number): Promise<void> {
  for (let look = 1; ; look++) {
    const holder = await readHolder(file);
    if (holder.since === undefined && (await runFlock(file, 0))) return;
    // flock(1) never writes a holder into the file.
    const isKnown = holder.since !== undefined || holder.command?.startsWith("flock ") === true;
    if (isKnown || look === LOOKS) throw new LockedError(path, waited, holder);
  }
}

/** Our own command line, which never changes. */
let ownCommand: Promise<string | undefined> | undefined;

async function hold(file: number, path: string, holder?: string): Promise<Lock> {
  const command = holder ?? (await (ownCommand ??= commandOf("self")));
  // The lock is ours even if the note about it can't be written: a full disk is no reason to release it.
  await writeHolder(file, { pid, command, since: new Date().toISOString() }).catch(() => undefined);
  let releasing: Promise<void> | undefined;
  const release = (): Promise<void> => (releasing ??= letGo(file));
  return { path, release, [Symbol.asyncDispose]: release };
}

async function letGo(file: number): Promise<void> {
  try {
    ftruncateSync(file, 0); // or our name would be read as that of the next holder
  } finally {
    closeSync(file);
  }
}
