/// <reference lib="esnext.disposable" preserve="true" />
import type { FileHandle } from "node:fs/promises";
import { pid } from "node:process";
import { formatTime, QmpctlError } from "../errors.ts";
import { runFlock } from "./flock.ts";
import { isStillThere, openLockFile, readHolder, writeHolder } from "./lock-file.ts";
import type { LockHolder } from "./lock-holder.ts";
import { commandOf } from "./threads.ts";

export type { LockHolder } from "./lock-holder.ts";

/**
 * The lock was not free by the deadline: who holds it, what for, and since when. Where there was no time to wait, nothing is said of that.
 */
export class LockedError extends QmpctlError {
  readonly path: string;
  readonly holder: LockHolder;

  constructor(path: string, waited: number, holder: LockHolder) {
    super("locked", `${path}: locked by ${describe(holder)}${waited < 1 ? "" : `, waited ${formatTime(waited)}`}`);
    this.path = path;
    this.holder = holder;
  }
}

/**
 * `timeout` is milliseconds, 10000 by default; 0 does not wait. `holder` tells others what we do, the process's command line by default.
 */
export interface LockOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  readonly holder?: string;
}

/** A lock that is held until it is released, or its process ends in whatever way. Releasing twice is harmless. */
export interface Lock extends AsyncDisposable {
  readonly path: string;
  release(): Promise<void>;
}

/**
 * Takes the exclusive flock(2) lock on a file (made 0600 where missing), the same that a shell script's `flock FILE` takes.
 * LockedError when it isn't free by the deadline; UnsafeError where the file is not ours; an abort rejects with the signal's reason.
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const { timeout = 10_000, signal } = options;
  const start = performance.now();
  for (;;) {
    const file = await openLockFile(path);
    try {
      const free = await runFlock(file.fd, timeout - (performance.now() - start), signal);
      if (!free) await refuse(file, path, timeout);
      if (await isStillThere(file, path)) return await hold(file, path, options.holder);
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close(); // its last holder removed the file while we waited: the lock is now on another one
  }
}

/** How often a holder is looked for, where it may have only just come, or be gone by now. */
const LOOKS = 3;

/** Says who holds the lock. Where that can't be said, it may just have been let go: then it is ours after all. */
async function refuse(file: FileHandle, path: string, waited: number): Promise<void> {
  for (let look = 1; ; look++) {
    const holder = await readHolder(file);
    if (holder.since === undefined && (await runFlock(file.fd, 0))) return;
    // A flock(1) never writes who it is.
    const isKnown = holder.since !== undefined || holder.command?.startsWith("flock ") === true;
    if (isKnown || look === LOOKS) throw new LockedError(path, waited, holder);
  }
}

/** What we were asked to do ourselves: it never changes. */
let ownCommand: Promise<string | undefined> | undefined;

async function hold(file: FileHandle, path: string, holder?: string): Promise<Lock> {
  const command = holder ?? (await (ownCommand ??= commandOf(pid)));
  // The lock is ours, noted or not: a full disk is no reason to let go of it.
  await writeHolder(file, { pid, command, since: new Date().toISOString() }).catch(() => undefined);
  let releasing: Promise<void> | undefined;
  const release = (): Promise<void> => (releasing ??= letGo(file));
  return { path, release, [Symbol.asyncDispose]: release };
}

async function letGo(file: FileHandle): Promise<void> {
  try {
    await file.truncate(0); // our name must not be read as that of the next holder
  } finally {
    await file.close();
  }
}

function describe({ pid: holder, command, since }: LockHolder): string {
  if (holder === undefined) return "a process that can't be told";
  return `process ${holder}${command === undefined ? "" : ` (${oneLine(command)})`}${since === undefined ? "" : ` since ${since}`}`;
}

/** A command line can be a whole script. */
function oneLine(text: string): string {
  const line = text.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
