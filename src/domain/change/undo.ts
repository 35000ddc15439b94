import { deadlineIn } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import { TimeoutError } from "../../qmp/errors.ts";
import { type Live, readLive } from "../facts/live.ts";
import { DiedError } from "../model/errors.ts";
import { stepKindOf } from "../resources/registry.ts";
import type { Work } from "../resources/step.ts";
import { applySteps, recordsOf, type StepRecord } from "./apply.ts";

/** How long undo may take, in milliseconds, whatever the change was given. */
export const UNDO_TIMEOUT = 15_000;

/** How long a connection may be quiet before a new one takes its place, in milliseconds. */
const PROBE = 3000;

/**
 * Takes back the steps that were begun, last first. Each is worked out from the machine's state as it is then, and read back. `work` has
 * undo's own deadline. Never throws: the records say what could not be restored.
 *
 * @returns the error of a monitor that answers nothing any more; undefined if it answers
 */
export async function undoSteps(records: readonly StepRecord[], work: Work): Promise<unknown> {
  // If an interrupt led here, it must not cut the undo short as well.
  const back: Work = { ...work, signal: undefined, onProgress: undefined, onBegun: undefined };
  let silent = await reach(back).then(
    () => undefined,
    (error: unknown) => error,
  );
  for (const record of records.toReversed()) {
    if (record.outcome === "planned") record.outcome = "skipped";
    // A monitor that did not answer in all that time is not asked again for each step.
    else if (record.outcome !== "skipped") silent = await undoOne(record, back, silent);
  }
  return silent;
}

/** Makes sure that the monitor answers: a new connection takes the place of a quiet one. */
async function reach({ monitor, deadline }: Work): Promise<void> {
  try {
    await monitor.ask((session) => session.execute("query-status"), { by: deadlineIn(Math.min(PROBE, deadline.timeout / 3)) });
  } catch (error) {
    if (!(error instanceof TimeoutError)) return;
    await monitor.renew(deadline);
  }
}

/** Undoes one step and writes down how that ended. @returns the error of a monitor that answers nothing any more */
async function undoOne(record: StepRecord, work: Work, silent: unknown): Promise<unknown> {
  try {
    if (silent !== undefined) throw silent;
    const obstacle = await takeBack(record, work);
    record.outcome = obstacle === null ? "undone" : "undo-failed";
    if (obstacle !== null) record.reason = because(record, obstacle);
  } catch (error) {
    record.outcome = "undo-failed";
    record.reason = because(record, messageOf(error));
    if (error instanceof DiedError) record.cause = error;
    if (error === silent || error instanceof TimeoutError) return error;
  }
  return undefined;
}

/** Undoes one step. @returns what stands in the way; null if it is as before */
async function takeBack(record: StepRecord, work: Work): Promise<string | null> {
  const { step, cause } = record;
  const kind = stepKindOf(step);
  const now = await readNow(work);
  const inverse = kind.inverse(step, now, work.live, cause);
  if (typeof inverse === "string") return inverse;
  for (const each of inverse) {
    const hazard = (await stepKindOf(each).hazard?.(each, now, work)) ?? null;
    if (hazard !== null) return hazard;
  }
  record.back = inverse;
  const records = recordsOf(inverse.map((each) => ({ step: each, change: 0 })));
  await applySteps(records, { ...work, live: now });
  const pending = records.find((record) => record.outcome === "pending");
  // What goes on without us is on its way back.
  if (pending !== undefined && stepKindOf(pending.step).goesOn?.(now) === true)
    record.reason = [record.reason, pending.reason].filter(Boolean).join("; ");
  else if (pending !== undefined) return pending.reason ?? "not done in time";
  return kind.irrevocable?.(step, now, cause) ?? null;
}

function readNow({ monitor, deadline, readers }: Work): Promise<Live> {
  return monitor.ask((session) => readLive(session, monitor.pid, readers), { by: deadline });
}

function because({ reason }: StepRecord, obstacle: string): string {
  return reason === undefined || reason === obstacle ? obstacle : `${reason}; not undone: ${obstacle}`;
}
