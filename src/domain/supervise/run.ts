import { statePaths, type StatePaths } from "../../config/runtime.ts";
import { deadlineIn } from "../../deadline.ts";
import { isErrorCode, messageOf } from "../../errors.ts";
import type { Background, ProgramEnd } from "../../host/background.ts";
import { takeNotify } from "../../host/notify.ts";
import { enterServiceGroup } from "../../host/service-group.ts";
import { endOf } from "../lifecycle/ended.ts";
import { groupRemover } from "../lifecycle/own-group.ts";
import { resumeMachine } from "../lifecycle/power.ts";
import { startDomain } from "../lifecycle/start.ts";
import { destroyMachine, SHUTDOWN_TIMEOUT, shutdownMachine } from "../lifecycle/stop.ts";
import type { Identity } from "../machine/identity.ts";
import { lockMachine, readStored } from "../machine/lock.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Place } from "../machine/place.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { readProcessRecord } from "../machine/process-record.ts";
import type { RunOptions, RunReport } from "../model/action.ts";
import { StateError } from "../model/errors.ts";

/** How often to look for the end of a QEMU that is no child of ours, as a script has started it, in milliseconds. */
const LOOK = 1000;

/** What was launched, and waits for its end. */
interface Supervised {
  readonly machine: Identity;
  readonly program: Background;
}

/**
 * Starts a machine as `startDomain` does, and waits for its end: a supervisor's program. An abort of `signal` asks the guest to shut down;
 * one of `hurry`, or the end of that wait, ends it at once. A restart by another command is followed.
 *
 * The service manager that runs us is told when the machine runs, and when it ends.
 *
 * @throws as `startDomain` does, when it did not start; the signal's reason, when that came before it ran
 */
export async function runMachine(place: Place, options: RunOptions): Promise<RunReport> {
  const notify = takeNotify();
  const tell = async (...words: readonly string[]): Promise<void> => {
    const why = await notify(...words);
    if (why !== null) options.onStep?.({ name: place.name, what: "remark", text: why });
  };
  const obstacle = await enterServiceGroup();
  if (obstacle !== null) options.onStep?.({ name: place.name, what: "remark", text: obstacle });
  for (let paused = options.paused === true; ;) {
    let launched: Supervised | undefined;
    const report = await startDomain(place, { ...options, paused, supervise: (it) => (launched = it) });
    if (launched === undefined) throw new StateError(`${place.name}: nothing was launched`, "unstartable");
    options.onStep?.({ name: place.name, what: "started", report });
    await tell("READY=1", `STATUS=${place.name} runs, process ${report.pid}`);
    const removeGroup = groupRemover(launched.machine);
    const over = endedOf(launched);
    const isForced = await standBy(place, over, tell, options);
    const end = await over;
    await removeGroup();
    const again = await followUp(place, launched.machine);
    if (again === null || options.signal?.aborted === true) return await reportOf(place, launched.machine, end, isForced);
    paused = again.paused;
  }
}

/** Resolves when its QEMU has ended: how its program did. A script that we started may end before it. */
async function endedOf({ machine, program }: Supervised): Promise<ProgramEnd> {
  const end = await program.wait();
  await pollUntil({ look: () => machine.isThere(), done: (isThere) => !isThere, pauses: [LOOK] }, { by: deadlineIn(Infinity) });
  return end;
}

/** Waits for the end, or for the caller's word to bring it about. Whether it had to be forced. */
async function standBy(
  place: Place,
  over: Promise<unknown>,
  tell: (...words: readonly string[]) => Promise<void>,
  options: RunOptions,
): Promise<boolean> {
  const asked = aborted(options.signal);
  await Promise.race([over, asked.promise]);
  asked[Symbol.dispose]();
  if (options.signal?.aborted !== true) return false;
  await tell("STOPPING=1");
  return bringDown(place, options);
}

/** Shuts the guest down, and ends its machine if it does not do that. Whether it had to. */
async function bringDown(place: Place, options: RunOptions): Promise<boolean> {
  const timeout = options.shutdownTimeout ?? SHUTDOWN_TIMEOUT;
  options.onStep?.({ name: place.name, what: "stopping", timeout });
  try {
    await shutDown(place, timeout, options.hurry);
    return false;
  } catch (error) {
    // Whatever was in the way: what supervises us wants an end, and waits only so long.
    if (isGone(error)) return false;
    const why = options.hurry?.aborted === true ? "interrupted once more" : messageOf(error);
    options.onStep?.({ name: place.name, what: "destroying", why });
    await destroyMachine(place, {}).catch((failure: unknown) => {
      if (!isGone(failure)) throw failure;
    });
    return true;
  }
}

/** A guest that is frozen can't shut down: it is let go on for that. */
async function shutDown(place: Place, timeout: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await shutdownMachine(place, { timeout, signal });
  } catch (error) {
    if (!(error instanceof StateError) || error.state !== "paused") throw error;
    await resumeMachine(place, { timeout, signal });
    await shutdownMachine(place, { timeout, signal });
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StateError && error.state === "stopped";
}

/** How long a command that has ended a machine may take to write that down, in milliseconds. */
const NOTED = 1000;

/** Waits until the command that ended it has written that down. What a restart leaves to be done; null if nothing is. */
async function followUp(place: Place, machine: Identity): Promise<{ readonly paused: boolean } | null> {
  try {
    // `destroy` writes without waiting for the lock, so it must find it free.
    await pollUntil({ look: () => isExplained(place), done: (isIt) => isIt, pauses: [50] }, { by: deadlineIn(NOTED) });
    await using held = await lockMachine(place);
    const record = await readProcessRecord(held.books);
    return held.machine === null && record?.process.pid === machine.pid ? (record.again ?? null) : null;
  } catch (error) {
    // What is known of its end is told all the same.
    if (isErrorCode(error, "locked", "config", "host", "refused")) return null;
    throw error;
  }
}

/** Whether somebody has written down why it ended, or its guest did it. */
async function isExplained(place: Place): Promise<boolean> {
  const books = await booksOf(place);
  if (books === null) return true;
  return (await readProcessRecord(books))?.ended !== undefined || /^the guest /.test((await endOf(books))?.why ?? "");
}

/** Where its records are; null if its config can't be read any more. */
async function booksOf(place: Place): Promise<StatePaths | null> {
  const stored = await readStored(place).catch(() => null);
  return stored === null ? null : statePaths(place.folders, await machineIdOf(stored));
}

/** The causes in QEMU's own trace that are failures, though it ends with status 0. */
const FAILURES: readonly string[] = ["an error on the host", "the guest panicked"];

async function reportOf(place: Place, { pid }: Identity, { code, signal }: ProgramEnd, isForced: boolean): Promise<RunReport> {
  const books = await booksOf(place);
  const [record, ended] = books === null ? [null, null] : [await readProcessRecord(books), await endOf(books)];
  const why = ended?.why ?? (signal === null ? `QEMU ended with status ${code}` : `QEMU was ended by ${signal}`);
  // A command of ours that ended it, or somebody who had it killed, wanted that.
  const isMeant = record?.process.pid === pid && record?.ended !== undefined;
  const isClean = !isForced && (isMeant || (code === 0 && !FAILURES.some((cause) => why.startsWith(cause))));
  return { name: place.name, pid: pid ?? 0, how: why, clean: isClean };
}

/** Resolves when a signal is aborted. Disposed of, it is forgotten. */
function aborted(signal: AbortSignal | undefined): Disposable & { readonly promise: Promise<void> } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  if (signal?.aborted === true) resolve();
  signal?.addEventListener("abort", resolve, { once: true });
  return { promise, [Symbol.dispose]: () => signal?.removeEventListener("abort", resolve) };
}
