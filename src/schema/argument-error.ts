import { UsageError } from "../errors.ts";

/** One thing that a QEMU would not take. */
export interface ArgumentIssue {
  /** Where, as `options.bitmaps[0].node`; empty for the command or its arguments as a whole. */
  readonly path: string;
  /** What was given; undefined where something is missing. */
  readonly value: unknown;
  /** What would be right. */
  readonly expected: string;
  /** What is wrong, for a sentence that begins with the path. */
  readonly why: string;
}

/** Arguments that the QEMU they are meant for would not take, by its own schema. Nothing was sent. */
export class ArgumentError extends UsageError {
  readonly command: string;
  readonly issues: readonly ArgumentIssue[];

  constructor(command: string, issues: readonly [ArgumentIssue, ...ArgumentIssue[]]) {
    const [{ path, value, expected, why }, ...others] = issues;
    const more = others.length > 0 ? ` (and ${others.length} more)` : "";
    super(`${command}: ${path === "" ? "" : `${path}: `}${why}${more}`, { value, expected });
    this.command = command;
    this.issues = issues;
  }
}
