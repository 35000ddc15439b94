import { QmpctlError } from "../../errors.ts";

/** The machine's state does not allow the action: a start of one that runs, a suspend of one that is stopped. */
export class StateError extends QmpctlError {
  readonly state: string;

  constructor(message: string, state: string, options?: { readonly cause?: unknown }) {
    super("refused", message, options);
    this.state = state;
  }
}

/**
 * The error for an action that needs a running machine, if it does not run. `hindrance` is what stands in the way of its start, or null.
 */
export function notRunning(name: string, hindrance: string | null): StateError {
  return hindrance === null ? new StateError(`${name}: it does not run`, "stopped") : hindered(name, `it does not run; ${hindrance}`);
}

/** The error for an action that needs a start, if something stands in its way. Its state is not `stopped`: a start would not help. */
export function hindered(name: string, hindrance: string): StateError {
  return new StateError(`${name}: ${hindrance}`, "unstartable");
}

/** QEMU ended while we worked with it. `lastWords` is what it wrote on stderr at the end; null if that is not known. */
export class DiedError extends QmpctlError {
  readonly pid: number | null;
  readonly lastWords: string | null;

  constructor(
    message: string,
    evidence: { readonly pid: number | null; readonly lastWords: string | null },
    options?: { readonly cause?: unknown },
  ) {
    super("closed", evidence.lastWords === null ? message : `${message}; its last words: ${evidence.lastWords}`, options);
    this.pid = evidence.pid;
    this.lastWords = evidence.lastWords;
  }
}
