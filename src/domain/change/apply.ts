import { messageOf } from "../../errors.ts";
import type { Facts } from "../facts/facts.ts";
import type { StepReport } from "../model/change.ts";
import { GuestRefusals } from "../resources/guest-refusals.ts";
import { stepKindOf } from "../resources/registry.ts";
import type { Step, Work } from "../resources/step.ts";
import type { PlannedStep } from "./plan.ts";

/** A step and how far it has come. */
export interface StepRecord extends PlannedStep {
  outcome: StepReport["outcome"];
  reason?: string;
  /** What was thrown, if it failed. */
  cause?: unknown;
  /** The steps that were sent to take it back; empty if nothing had come of it. */
  back?: readonly Step[];
}

/** The records of a plan's steps before anything is done. */
export function recordsOf(steps: readonly PlannedStep[]): readonly StepRecord[] {
  return steps.map((planned) => ({ ...planned, outcome: "planned" }));
}

/** A record as the report shows it. */
export function reportStep({ step, outcome, reason }: StepRecord, facts: Facts): StepReport {
  const kind = stepKindOf(step);
  const [undo, noUndo] = [kind.undoing(step, facts), kind.noUndo?.(step)];
  const back = undo !== undefined ? { undo } : noUndo !== undefined ? { noUndo } : {};
  return { what: kind.what(step), sends: kind.sends(step, facts), outcome, ...back, ...(reason === undefined ? {} : { reason }) };
}

/**
 * S9 Apply, S10 Read back: does the steps in order and writes down how each one ended. Steps of the guest's are begun in order and waited
 * for together, and those that can't be taken back come after all others. The first failure ends it.
 *
 * @throws what a step fails with; the signal's reason. The records then say what was done
 */
export async function applySteps(records: readonly StepRecord[], given: Work): Promise<void> {
  const waiting: StepRecord[] = [];
  // Subscribe, then act: a guest may refuse before the next step is begun.
  using said = given.monitor.session.events(["ACPI_DEVICE_OST", "DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR"]);
  const work: Work = { ...given, refusals: new GuestRefusals() };
  void work.refusals?.follow(said);
  const isLast = ({ step }: StepRecord): boolean => stepKindOf(step).isLast === true;
  for (const record of records.filter((each) => !isLast(each))) await applyOne(record, work, waiting);
  await readBackAll(waiting, work);
  for (const record of records.filter(isLast)) await applyOne(record, work, []);
}

/** Begins one step. What the guest has to do is put with those that are waited for, anything else is read back at once. */
async function applyOne(record: StepRecord, work: Work, waiting: StepRecord[]): Promise<void> {
  work.signal?.throwIfAborted();
  await noting(record, async () => {
    record.outcome = "pending";
    await stepKindOf(record.step).begin(record.step, work);
    await work.onBegun?.();
    if (stepKindOf(record.step).asksGuest) waiting.push(record);
    else await readBack(record, work);
  });
}

/** Waits for the guest's steps together. If one fails, the whole change has failed: the other waits are cut short, to be undone. */
async function readBackAll(waiting: readonly StepRecord[], work: Work): Promise<void> {
  const failed = new AbortController();
  const signal = work.signal === undefined ? failed.signal : AbortSignal.any([work.signal, failed.signal]);
  const waits = waiting.map((record) =>
    noting(record, () => readBack(record, { ...work, signal })).catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(waits);
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function readBack(record: StepRecord, work: Work): Promise<void> {
  const end = await stepKindOf(record.step).readBack(record.step, work);
  record.outcome = end.outcome;
  if (end.reason !== undefined) record.reason = end.reason;
}

async function noting(record: StepRecord, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    record.outcome = "failed";
    record.reason = messageOf(error);
    record.cause = error;
    throw error;
  }
}
