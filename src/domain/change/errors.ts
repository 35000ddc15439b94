import { messageOf, QmpctlError } from "../../errors.ts";
import type { Report } from "./change-report.ts";

/** The change can't be made as things are. Nothing was touched; every reason is in `report.refusals`. */
export class RefusedError extends QmpctlError {
  readonly report: Report;

  constructor(report: Report, options?: { readonly cause?: unknown }) {
    const reasons = report.refusals.map((refusal) => refusal.reason).join("; ");
    super("refused", `${report.domain}: ${reasons}`, options);
    this.report = report;
  }
}

/**
 * A change that failed after it began. Code `rolled-back`: everything is as it was;
 * `partial`: something is not, and `report` says what, with the commands that finish it or take it back.
 */
export class ChangeError extends QmpctlError {
  readonly report: Report;

  constructor(report: Report, why: string, options: { readonly cause: unknown }) {
    const restored = report.outcome === "rolled-back";
    const name = `${report.domain}: `;
    // Most errors of the domain already begin with its name.
    const what = why.startsWith(name) ? why : name + why;
    // The guest may still be moving back, or somebody else may have changed it meanwhile: the report's values and notes say so.
    const same = report.changes.every(({ dynamic: { outcome, before, actual } }) => outcome !== "rolled-back" || before === actual);
    super(
      restored ? "rolled-back" : "partial",
      `${what}${restored ? `; ${same ? "everything is as it was" : "what was done was undone"}` : ""}`,
      options,
    );
    this.report = report;
  }
}

/** The end of a change failed. `report` is there if it came that far, and `again` says when it is tried once more, in ISO 8601. */
export class EndError extends QmpctlError {
  readonly again: string | null;
  /** What comes of it, in words. */
  readonly how: string;
  readonly report?: Report;

  constructor(error: unknown, again: string | null, report: Report | undefined, how: string) {
    super(error instanceof QmpctlError ? error.code : "host", `${messageOf(error)}; ${how}`, { cause: error });
    this.again = again;
    this.how = how;
    if (report !== undefined) this.report = report;
  }
}
