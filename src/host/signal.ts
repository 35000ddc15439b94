import { kill } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { deadlineIn } from "../deadline.ts";
import { HostError, messageOf } from "../errors.ts";
import { isAlive, startTime } from "./threads.ts";

/** A process that can't be confused with a later one of the same id. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, see `startTime`. */
  readonly started: number;
}

/** Identifies a running process; undefined if there is none. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const started = await startTime(pid);
  return started === undefined || !(await isAlive(pid)) ? undefined : { pid, started };
}

/** Whether this very process still runs. */
export async function isStillThere({ pid, started }: ProcessIdentity): Promise<boolean> {
  return (await startTime(pid)) === started && isAlive(pid);
}

/**
 * Sends a signal to the process, if it still is that process.
 *
 * @throws HostError when we may not
 */
export async function sendSignal(process: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (!(await isStillThere(process))) return;
  try {
    kill(process.pid, signal);
  } catch (cause) {
    if ((cause as { readonly code?: string }).code === "ESRCH") return;
    throw new HostError(`process ${process.pid}: ${signal} was not sent: ${messageOf(cause)}`, {}, { cause });
  }
}

const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 100;

/**
 * Waits for the end of a process that is not our child. The kernel does not report that end, so this looks again and again. True if the
 * process ended within `timeout` milliseconds. `onLook` is called each time that it still runs.
 *
 * @throws the signal's reason as it is
 */
export async function waitForEnd(
  process: ProcessIdentity,
  options: {
    readonly timeout: number;
    readonly signal?: AbortSignal | undefined;
    readonly onLook?: ((elapsed: number) => void) | undefined;
  },
): Promise<boolean> {
  const deadline = deadlineIn(options.timeout);
  for (let pause = FIRST_PAUSE; await isStillThere(process); pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
    if (deadline.left() <= 0) return false;
    options.onLook?.(deadline.elapsed());
    await wait(pause, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() =>
      options.signal?.throwIfAborted(),
    );
  }
  return true;
}
