import { hasRuntime, hasSocket, readPid } from "../../config/runtime.ts";
import { readTail } from "../../config/safe-file.ts";
import { isErrorCode } from "../../errors.ts";
import { commandLineOf, isAlive } from "../../host/threads.ts";
import { connect, type Session } from "../../qmp/session.ts";
import { isQueueFull } from "../../wire/errors.ts";
import { Monitor, type MonitorTarget } from "./monitor.ts";
import { type Place, stderrOf } from "./place.ts";

/** A QEMU that is there, as far as can be told without talking to it. */
export interface Present {
  /** Null where only its monitor is known. */
  readonly pid: number | null;
  readonly control: string;
  /** The second monitor, for those who only watch; null where there is none. */
  readonly watch: string | null;
}

/**
 * Looks for the domain's QEMU: the process of its pidfile, when it is alive and still the one that was started with that pidfile.
 * A transient domain is taken to be there. Null means stopped.
 */
export async function findMachine(place: Place, ownMonitor?: string): Promise<Present | null> {
  if (place.address !== null) return { pid: null, control: place.address, watch: null };
  const { runtime } = place;
  const pid = (await hasRuntime(runtime)) ? await readPid(runtime) : undefined;
  if (pid !== undefined && (await isAlive(pid)) && (await commandLineOf(pid))?.includes(runtime.pidfile)) {
    await Promise.all([runtime.control, runtime.watch].map(hasSocket));
    return { pid, control: `unix:${runtime.control}`, watch: `unix:${runtime.watch}` };
  }
  return ownMonitor === undefined ? null : findByMonitor(`unix:${ownMonitor}`);
}

/** A QEMU that somebody else started with the monitor that the config names. */
async function findByMonitor(address: string): Promise<Present | null> {
  try {
    await using _session = await connect(address, { timeout: 1000 });
  } catch (error) {
    // Nobody listens: stopped. Somebody listens and is busy: there.
    if (isErrorCode(error, "connect") && !isQueueFull(error)) return null;
  }
  return { pid: null, control: address, watch: null };
}

/** What a monitor of this machine needs to know of it. */
export function targetOf(place: Place, present: Present): MonitorTarget {
  return { name: place.name, address: present.control, pid: present.pid, lastWords: () => lastWords(place) };
}

/** Opens the control monitor, for work that changes something. `timeout`, in milliseconds, is for the whole work: where it is shorter, it counts. */
export function openControl(place: Place, present: Present, signal?: AbortSignal, timeout: number = place.timeout): Promise<Monitor> {
  return Monitor.open(targetOf(place, present), { timeout: Math.min(place.timeout, timeout), signal });
}

/** When the control monitor has not greeted by then, it is probably held by a change under way. */
const PATIENCE = 250;

/**
 * Opens a monitor to read from: the control monitor, or, when that is held by a change that waits for its guest,
 * the watchers' one. The first that greets is taken.
 */
export async function openReader(place: Place, present: Present, options: { readonly timeout?: number; readonly signal?: AbortSignal | undefined } = {}): Promise<Session> {
  const timeout = Math.max(1, options.timeout ?? place.timeout);
  const enough = new AbortController();
  const signal = options.signal === undefined ? enough.signal : AbortSignal.any([enough.signal, options.signal]);
  const control = connect(present.control, { timeout, signal });
  const others = present.watch === null ? [] : [later(control, () => connect(present.watch ?? "", { timeout, signal }))];
  const tries = [control, ...others];
  try {
    const session = await Promise.any(tries);
    for (const attempt of tries) void attempt.then((it) => (it === session ? undefined : it.close()), () => undefined);
    return session;
  } catch (error) {
    // The control monitor's own error says most: who may hold it, why it can't be reached.
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    enough.abort();
  }
}

/** Begins the second attempt when the first one has failed, or has been quiet for a while. */
async function later<T>(first: Promise<T>, second: () => Promise<T>): Promise<T> {
  const outcome = await new Promise<"greeted" | "failed" | "quiet">((resolve) => {
    const timer = setTimeout(() => resolve("quiet"), PATIENCE);
    const settled = (how: "greeted" | "failed") => () => {
      clearTimeout(timer);
      resolve(how);
    };
    first.then(settled("greeted"), settled("failed"));
  });
  return outcome === "greeted" ? first : second();
}

/** The last lines that QEMU wrote on stderr, in one; null where it wrote none. */
export async function lastWords(place: Place): Promise<string | null> {
  // A QEMU in the background with a log (-D) has its stderr there from the fork on; only what it says before goes to ours.
  const texts = await Promise.all([stderrOf(place.runtime), place.runtime.log].map((path) => readTail(path)));
  const lines = texts.join("").trim().split("\n").slice(-3).join(" / ");
  return lines === "" ? null : lines;
}
