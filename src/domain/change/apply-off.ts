import { messageOf } from "../../errors.ts";
import { stepKindOf } from "../resources/registry.ts";
import type { StepRecord } from "./apply.ts";

/**
 * Does the steps of a machine that does not run, in order. The first failure ends it. @throws what a step fails with; the signal's reason
 */
export async function applyOff(records: readonly StepRecord[], options: { readonly signal: AbortSignal | undefined }): Promise<void> {
  for (const record of records) {
    options.signal?.throwIfAborted();
    try {
      record.outcome = "pending";
      await stepKindOf(record.step).beginOff?.(record.step, options);
      record.outcome = "done";
    } catch (error) {
      record.outcome = "failed";
      record.reason = messageOf(error);
      record.cause = error;
      throw error;
    }
  }
}

/** Says of each step what is left of it: nothing came of one that failed, and one that was done stays. */
export function undoOff(records: readonly StepRecord[]): void {
  for (const record of records) {
    if (record.outcome === "planned") record.outcome = "skipped";
    if (record.outcome === "failed") record.outcome = "undone";
    if (record.outcome !== "done") continue;
    record.outcome = "undo-failed";
    record.reason = stepKindOf(record.step).noUndo?.(record.step) ?? "it can't be taken back";
  }
}
