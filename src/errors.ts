/**
 * Which phase of the work failed. The codes are stable, so that programs can branch on them.
 *
 * - `usage`: the caller's own input is wrong (a size without a unit, an address that can't be read)
 * - `connect`: nobody listens there, or we may not connect
 * - `greeting`: connected, but no QMP greeting came (most often another client holds the monitor)
 * - `negotiation`: QEMU sent its greeting, but did not enter command mode
 * - `command`: QEMU answered with an error
 * - `timeout`: no answer by the deadline; the command may still run
 * - `closed`: the connection ended before the call was answered
 * - `protocol`: the peer sent something that is not QMP
 * - `overflow`: a stream of events was not read fast enough, and ended at its bound
 * - `refused`: this can't be done in the present state; nothing was changed
 * - `config`: a launch config is missing, damaged, or was changed by others meanwhile
 * - `host`: a tool of the host, or the host itself, failed or refused
 * - `locked`: another writer has the domain
 * - `rolled-back`: a change failed, and everything is as it was before
 * - `partial`: a change failed, and something could not be undone
 */
export type ErrorCode =
  | "usage"
  | "connect"
  | "greeting"
  | "negotiation"
  | "command"
  | "timeout"
  | "closed"
  | "protocol"
  | "overflow"
  | "refused"
  | "config"
  | "host"
  | "locked"
  | "rolled-back"
  | "partial";

/** The base of all errors that this package throws. The message reads `<what>: <why>`, with the value in it. */
export class QmpctlError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Input that can't be right. `value` is what was given, `expected` says what would be right. */
export class UsageError extends QmpctlError {
  readonly value: unknown;
  readonly expected: string;

  constructor(message: string, evidence: { readonly value: unknown; readonly expected: string }, options?: { readonly cause?: unknown }) {
    super("usage", message, options);
    this.value = evidence.value;
    this.expected = evidence.expected;
  }
}

/** A tool or a file of the host failed. `command` is the argv that ran, if one did. */
export class HostError extends QmpctlError {
  readonly command: readonly string[] | undefined;
  readonly stderr: string | undefined;

  constructor(
    message: string,
    evidence: { readonly command?: readonly string[] | undefined; readonly stderr?: string | undefined } = {},
    options?: { readonly cause?: unknown },
  ) {
    super("host", message, options);
    this.command = evidence.command;
    this.stderr = evidence.stderr;
  }
}

/** A file of ours that somebody else put there, or could have: it is left alone, and nothing is done. `path` leads to it. */
export class UnsafeError extends QmpctlError {
  readonly path: string;

  constructor(path: string, why: string, options?: { readonly cause?: unknown }) {
    super("refused", `${path}: ${why}`, options);
    this.path = path;
  }
}

/** Whether an error is one of ours and has one of these codes. */
export function isErrorCode(error: unknown, ...codes: readonly ErrorCode[]): error is QmpctlError {
  return error instanceof QmpctlError && codes.includes(error.code);
}

/** The message of any thrown value, for use inside another message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Milliseconds as people read them in messages: `250 ms`, `3.7 s`, `90 s`. */
export function formatTime(time: number): string {
  const whole = Math.round(time);
  if (whole <= 1000) return `${whole} ms`;
  return `${whole >= 60_000 ? Math.round(whole / 1000) : Math.round(whole / 100) / 10} s`;
}
