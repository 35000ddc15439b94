import { formatTime, QmpctlError } from "../errors.ts";

/** Connected, and no QMP greeting came, or something else did. The usual cause: another client holds the monitor. */
export class GreetingError extends QmpctlError {
  readonly address: string;

  constructor(address: string, why: string, options?: { readonly cause?: unknown }) {
    super("greeting", `${address}: ${why}`, options);
    this.address = address;
  }
}

/** Greeted, and command mode was not reached. */
export class NegotiationError extends QmpctlError {
  readonly address: string;

  constructor(address: string, why: string, options?: { readonly cause?: unknown }) {
    super("negotiation", `${address}: ${why}`, options);
    this.address = address;
  }
}

/** QEMU answered a command with an error. Branch on `class` and not on `desc`, which is for people and changes between versions. */
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
 * Where a command was when its time was up.
 *
 * - `queued`: still on our side, behind others; it was never sent, so it is safe to ask again
 * - `unanswered`: sent. QEMU has no way to take it back: it may still run, and change things
 * - `busy`: as `unanswered`, and the monitor is known to be alive: the command itself is slow, or waits behind a slow one
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

/** No answer by the deadline. `command` is the command's name, or the event's that was waited for. */
export class TimeoutError extends QmpctlError {
  readonly command: string;
  /** Milliseconds that it had. */
  readonly timeout: number;
  readonly where: Whereabouts;

  constructor(command: string, timeout: number, where: Whereabouts) {
    super("timeout", `${command}: no answer within ${formatTime(timeout)}: ${WHERE[where]}`);
    this.command = command;
    this.timeout = timeout;
    this.where = where;
  }
}

/** The connection ended with a call unanswered, or there is none any more. `sent` tells whether QEMU may have done it. */
export class ClosedError extends QmpctlError {
  readonly sent: boolean;

  constructor(what: string, why: string, evidence: { readonly sent: boolean; readonly cause?: unknown }) {
    super("closed", `${what}: ${why}`, { cause: evidence.cause });
    this.sent = evidence.sent;
  }
}

/** A stream of events was not read quickly enough: it held `bound` events, and ended. */
export class OverflowError extends QmpctlError {
  readonly bound: number;

  constructor(bound: number) {
    super("overflow", `event stream: more than ${bound} events wait to be read`);
    this.bound = bound;
  }
}
