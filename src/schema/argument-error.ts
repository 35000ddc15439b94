import { UsageError } from "../errors.ts";

/** One fault that a QEMU would find in a command's arguments. */
export interface ArgumentIssue {
  /** Where it is, as `options.bitmaps[0].node`; empty for the command or its arguments as a whole. */
  readonly path: string;
  /** What was given; undefined if something is missing. */
  readonly value: unknown;
  /** What would be right. */
  readonly expected: string;
  /** What is wrong, for a sentence that begins with the path. */
  readonly why: string;
}

/** A QEMU would refuse these arguments, by its own schema. Nothing was sent. */
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
