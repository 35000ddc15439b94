import { startedVcpus } from "../../config/argv.ts";
import { plannedMemory } from "../../config/memory-in-args.ts";
import type { Stored } from "../../config/store.ts";
import type { Deadline } from "../../deadline.ts";
import { formatTime, QmpctlError } from "../../errors.ts";
import { isStillThere, type ProcessIdentity } from "../../host/signal.ts";
import { removeRecord, writeRecord } from "../change/journal.ts";
import type { Held } from "../machine/lock.ts";
import type { Place } from "../machine/place.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { type ProcessRecord, readProcessRecord, writeProcessRecord } from "../machine/process-record.ts";
import { WaitNotice } from "../machine/wait-notice.ts";
import type { StartOptions, StartReport, StopOptions } from "../model/action.ts";
import { shellWord } from "../model/format.ts";
import { shutdownLocked } from "./stop.ts";

/** A machine that a supervisor waits for, as `qmpctl run` does. */
export interface Supervised {
  readonly held: Held;
  readonly stored: Stored;
  readonly supervisor: ProcessIdentity;
}

/** The pauses between looks whether it was started again, in milliseconds. */
const PAUSES: readonly number[] = [50, 100, 200];

/**
 * A restart of a supervised machine: it is shut down here, and its supervisor starts it again, which would else lose it. The lock is let go
 * of between the two.
 *
 * @throws what a shutdown throws; QmpctlError `partial` when it was not started again
 */
export async function leaveStart(
  place: Place,
  { held, stored, supervisor }: Supervised,
  deadline: Deadline,
  options: StartOptions & StopOptions,
): Promise<StartReport> {
  const { books, machine } = held;
  await writeRecord(books, { action: "restart", paused: options.paused === true }, stored, machine?.process ?? null);
  try {
    await shutdownLocked(place, held, deadline, options);
    const record = await readProcessRecord(books);
    if (record !== null) await writeProcessRecord(books, { ...record, again: { paused: options.paused === true } });
  } finally {
    await removeRecord(books);
  }
  options.onStopped?.();
  await held[Symbol.asyncDispose]();
  using notice = new WaitNotice(options.onProgress);
  notice.enter(`process ${supervisor.pid} starts it again`, deadline);
  const look = async (): Promise<ProcessRecord | "gone" | null> => {
    const record = await readProcessRecord(books);
    if (record !== null && record.process.pid !== machine?.pid && record.again === undefined) return record;
    return (await isStillThere(supervisor)) ? null : "gone";
  };
  const { seen } = await pollUntil({ look, done: (found) => found !== null, pauses: PAUSES }, { by: deadline, signal: options.signal });
  if (seen === null || seen === "gone") throw notAgain(place, supervisor, seen === null ? formatTime(deadline.timeout) : null);
  return {
    name: place.name,
    pid: seen.process.pid,
    vcpus: startedVcpus(stored.config),
    memory: plannedMemory(stored.config),
    notes: [`process ${supervisor.pid}, which supervises it, has started it again`],
    elapsed: deadline.elapsed(),
  };
}

function notAgain({ name }: Place, { pid }: ProcessIdentity, time: string | null): QmpctlError {
  const why = time === null ? `process ${pid}, which supervised it, has ended` : `process ${pid} has not started it within ${time}`;
  return new QmpctlError(
    "partial",
    `${name}: it has shut down for this restart, and ${why}: qmpctl info ${shellWord(name)} shows its state`,
  );
}
