import { formatTime, QmpctlError } from "../errors.ts";

/** Connected, but no QMP greeting came, or something else came. Most often another client holds the monitor. */
export class GreetingError extends QmpctlError {
  readonly address: string;

  constructor(address: string, why: string, options?: { readonly cause?: unknown }) {
    super("greeting", `${address}: ${why}`, options);
    this.address = address;
  }
}

/** QEMU sent its greeting, but command mode was not reached. */
export class NegotiationError extends QmpctlError {
  readonly address: string;

  constructor(address: string, why: string, options?: { readonly cause?: unknown }) {
    super("negotiation", `${address}: ${why}`, options);
    this.address = address;
  }
}

/** QEMU answered a command with an error. Branch on `class`, not on `desc`: that is for people, and changes between versions. */
export class CommandError extends QmpctlError {
  readonly command: string;
  /** `GenericError`, `CommandNotFound`, `DeviceNotActive`, `DeviceNotFound`, `KVMMissingCap`, or a newer one. */
  readonly class: string;
  readonly desc: string;

  constructor(command: string, answer: { readonly class: string; readonly desc: string }) {
    super("command", `${command}: ${answer.desc}`);
    this.command = command;
    this.class = answer.class;
    this.desc = answer.desc;
  }
}

/**
 * Where a command was at its deadline.
 *
 * - `queued`: still on our side, behind other commands. It was never sent, so it is safe to send it again
 * - `unanswered`: sent. QEMU can't withdraw a command: it may still run, and change things
 * - `busy`: as `unanswered`, and the monitor is known to be alive: the command is slow, or waits behind a slow one
 * - `wedged`: as `unanswered`, and the monitor did not answer a probe either
 * - `awaited`: no command, but an event that did not come
 */
export type Whereabouts = "queued" | "unanswered" | "busy" | "wedged" | "awaited";

const WHERE: Readonly<Record<Whereabouts, string>> = {
  awaited: "no such event came",
  queued: "it was still waiting here behind other commands, and was not sent",
  unanswered: "it was sent and may still run",
  busy: "it was sent and may still run; the monitor is alive, the command is slow or waits behind a slow one",
  wedged: "it was sent and may still run; the monitor answers nothing at all",
};

/** No answer by the deadline. `command` is the name of the command, or of the event that was waited for. */
export class TimeoutError extends QmpctlError {
  readonly command: string;
  /** How long it had, in milliseconds. */
  readonly timeout: number;
  readonly where: Whereabouts;

  constructor(command: string, timeout: number, where: Whereabouts) {
    super("timeout", `${command}: no answer within ${formatTime(timeout)}: ${WHERE[where]}`);
    this.command = command;
    this.timeout = timeout;
    this.where = where;
  }
}

/** The connection ended before the call was answered, or before it was made. `sent` tells whether QEMU may have run the command. */
export class ClosedError extends QmpctlError {
  readonly sent: boolean;

  constructor(what: string, why: string, evidence: { readonly sent: boolean; readonly cause?: unknown }) {
    super("closed", `${what}: ${why}`, { cause: evidence.cause });
    this.sent = evidence.sent;
  }
}

/** A stream of events was not read fast enough: it held `bound` events, and ended. */
export class OverflowError extends QmpctlError {
  readonly bound: number;

  constructor(bound: number) {
    super("overflow", `event stream: more than ${bound} events wait to be read`);
    this.bound = bound;
  }
}
