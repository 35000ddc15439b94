/// <reference lib="esnext.disposable" preserve="true" />
import { hasRuntime, openRuntime } from "../../config/runtime.ts";
import { readConfig } from "../../config/store.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import type { ChangeOptions } from "../change.ts";
import type { Place } from "./place.ts";
import { Pulse } from "../pulse.ts";
import { deadlineIn } from "../step.ts";

/** How long a writer waits for the one before it, in milliseconds, when it was given no time of its own. */
export const LOCK_TIMEOUT = 60_000;

/** The lock for a change, which tells that it waits. A dry run only looks, and needs none. */
export async function lockForChange(place: Place, options: ChangeOptions): Promise<AsyncDisposable> {
  if (options.dryRun === true) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  using pulse = new Pulse(options.onProgress);
  pulse.enter("waiting for the writer before", deadlineIn(options.timeout ?? LOCK_TIMEOUT));
  return await lockDomain(place, options);
}

/** Takes the domain's lock: one writer at a time, across processes. @throws LockedError, which says whom it waited for */
export async function lockDomain(place: Place, options: { readonly timeout?: number; readonly signal?: AbortSignal; readonly defining?: boolean }): Promise<Lock> {
  // A config that can't be read leaves nothing behind, not even a folder to lock in.
  if (options.defining !== true && place.config !== null && !(await hasRuntime(place.runtime))) await readConfig(place.config);
  await openRuntime(place.runtime);
  return acquireLock(place.runtime.lock, { timeout: options.timeout ?? LOCK_TIMEOUT, ...(options.signal === undefined ? {} : { signal: options.signal }) });
}
