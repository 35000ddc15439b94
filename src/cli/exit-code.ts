import type { Report } from "../domain/change/change-report.ts";
import type { Outcome } from "../domain/model/change.ts";
import { type ErrorCode, QmpctlError } from "../errors.ts";

/** The exit codes of the program by what they mean. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, partial: 4, pending: 5, interrupted: 130 } as const;

/** What each exit code means, for the help and the README's table. */
export const exitCodes: readonly (readonly [number, string])[] = [
  [EXIT.done, "everything that was asked for is done"],
  [EXIT.failed, "failed; if it was a change, everything is as it was before"],
  [EXIT.usage, "usage: the command line is wrong"],
  [EXIT.refused, "refused, nothing was touched; also: no such domain, a damaged config, another user's file, another writer"],
  [EXIT.partial, "partial: one half of a change failed and could not be undone; also: a host was lost during it, see outcome"],
  [EXIT.pending, "pending: it was asked for, and was not done by the deadline"],
  [EXIT.interrupted, "interrupted, and what was half done is undone"],
];

const byOutcome: Readonly<Record<Outcome, number>> = {
  planned: EXIT.done,
  unchanged: EXIT.done,
  applied: EXIT.done,
  "rolled-back": EXIT.failed,
  refused: EXIT.refused,
  failed: EXIT.partial,
  pending: EXIT.pending,
};

// Every other code is a plain failure.
const byCode: Readonly<Partial<Record<ErrorCode, number>>> = {
  usage: EXIT.usage,
  refused: EXIT.refused,
  config: EXIT.refused,
  locked: EXIT.refused,
  partial: EXIT.partial,
  timeout: EXIT.pending,
};

/** The exit code of a command that ended with a report. */
export function exitCodeOf(report: Report): number {
  return byOutcome[report.outcome];
}

/** The exit code of a command that ended with an error. If something could not be undone, that counts more than the interrupt before it. */
export function exitCodeOfError(error: unknown, signal: AbortSignal): number {
  const report = reportOf(error);
  const code =
    report !== undefined
      ? exitCodeOf(report)
      : isLostChange(error)
        ? EXIT.partial
        : error instanceof QmpctlError
          ? exitCodeOfCode(error.code)
          : EXIT.failed;
  return signal.aborted && code !== EXIT.partial ? EXIT.interrupted : code;
}

/** The report that a refused or failed change carries. */
export function reportOf(error: unknown): Report | undefined {
  return error instanceof QmpctlError && "report" in error ? (error.report as Report) : undefined;
}

/** The exit code of an error without a report, by its code. */
export function exitCodeOfCode(code: string | undefined): number {
  return byCode[code as ErrorCode] ?? EXIT.failed;
}

/** Whether a connection was lost during a change that may have been done, or half of it. What other hosts take is loaded only for them. */
export function isLostChange(error: unknown): boolean {
  return error instanceof QmpctlError && error.code === "closed" && "key" in error && error.key !== null;
}
