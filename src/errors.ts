/**
 * Which phase of the work failed: stable, for programs to branch on.
 *
 * - `usage`: the caller's own input is wrong (a size without a unit, an address that is none)
 * - `connect`: nobody listens there, or we may not connect
 * - `greeting`: connected, and no QMP greeting came (most often: another client holds the monitor)
 * - `negotiation`: greeted, and QEMU would not enter command mode
 * - `command`: QEMU answered with an error
 * - `timeout`: no answer by the deadline; the command itself may still run
 * - `closed`: the connection ended with the call unanswered
 * - `protocol`: the peer said something that is not QMP
 * - `overflow`: a stream of events was not read quickly enough, and ended at its bound
 * - `refused`: what is asked can't be done as things are; nothing was touched
 * - `config`: a launch config is missing, damaged or changed under us
 * - `host`: a tool of the host, or the host itself, said no
 * - `locked`: another writer has the domain
 * - `rolled-back`: a change failed, and everything is as it was
 * - `partial`: a change failed, and something could not be put back
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

/** The base of every error this package throws. The message reads `<what>: <why>`, with the value in it. */
export class QmpctlError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Input that can't be what was meant. `value` is what was given, `expected` says what would be right. */
export class UsageError extends QmpctlError {
  readonly value: unknown;
  readonly expected: string;

  constructor(message: string, evidence: { readonly value: unknown; readonly expected: string }, options?: { readonly cause?: unknown }) {
    super("usage", message, options);
    this.value = evidence.value;
    this.expected = evidence.expected;
  }
}

/** A tool of the host or a file of the host failed us. `command` is the argv that ran, where one did. */
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

/** Something of ours that somebody else put there, or could have: it is left alone, and nothing is done. `path` leads to it. */
export class UnsafeError extends QmpctlError {
  readonly path: string;

  constructor(path: string, why: string, options?: { readonly cause?: unknown }) {
    super("refused", `${path}: ${why}`, options);
    this.path = path;
  }
}

/** Whether an error is ours, and of that code. */
export function isErrorCode(error: unknown, ...codes: readonly ErrorCode[]): error is QmpctlError {
  return error instanceof QmpctlError && codes.includes(error.code);
}

/** What an unknown thrown value says, for use inside another message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Milliseconds as people read them in messages: `250 ms`, `3.7 s`, `90 s`. */
export function formatTime(time: number): string {
  const whole = Math.round(time);
  if (whole <= 1000) return `${whole} ms`;
  return `${whole >= 60_000 ? Math.round(whole / 1000) : Math.round(whole / 100) / 10} s`;
}
