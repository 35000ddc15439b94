import { QmpctlError } from "../../errors.ts";

/** An action on the machine that its state does not allow: start of a running one, suspend of a stopped one. */
export class StateError extends QmpctlError {
  readonly state: string;

  constructor(message: string, state: string, options?: { readonly cause?: unknown }) {
    super("refused", message, options);
    this.state = state;
  }
}

/** What takes a machine that runs was asked of one that does not. `hindrance` is what stands in the way of its start, if anything does. */
export function notRunning(name: string, hindrance: string | null): StateError {
  return new StateError(`${name}: it does not run${hindrance === null ? "" : `; ${hindrance}`}`, "stopped");
}

/** QEMU ended while we worked with it. `lastWords` is what it wrote on stderr at its end, where that is kept. */
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
