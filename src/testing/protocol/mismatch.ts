import { QmpctlError } from "../../errors.ts";

/** A place where a client did not follow the recording. */
export interface Mismatch {
  /** What happened, with the transcript's file and line. */
  readonly message: string;
  /** The line of the transcript that should have come next, or is nearest. */
  readonly line: number;
  readonly command: string;
}

/** A conversation was not as recorded. `mismatches` has each place; the message has them all. */
export class MismatchError extends QmpctlError {
  readonly mismatches: readonly Mismatch[];

  constructor(mismatches: readonly Mismatch[]) {
    super("protocol", mismatches.map((it) => it.message).join("\n"));
    this.mismatches = mismatches;
  }
}

/** The error that a function of `answers` throws to make the command fail, with QEMU's class and words. */
export class QmpFailure extends Error {
  readonly class: string;

  constructor(errorClass: string, desc: string) {
    super(desc);
    this.class = errorClass;
  }
}
