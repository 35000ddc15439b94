import { QmpctlError } from "../errors.ts";

/**
 * Why a host can't be worked with: its name is not known (`resolve`), nobody listens (`refused`), no answer (`timeout`), its key is not the
 * known one (`host-key`), it does not let us in (`auth`), it has too many connections that are not let in yet (`throttled`), it has no Node
 * (`no-node`) or an old one (`node-too-old`), something else speaks there (`noise`), it has another version of this program (`version`),
 * there is no `ssh` program here (`no-ssh`), or something else (`other`).
 */
export type Unreachable =
  | "resolve"
  | "refused"
  | "timeout"
  | "host-key"
  | "auth"
  | "throttled"
  | "no-node"
  | "node-too-old"
  | "noise"
  | "version"
  | "no-ssh"
  | "other";

/** A host can't be worked with. Nothing was asked of it. `lastWords` is the end of what `ssh` wrote on stderr. */
export class UnreachableError extends QmpctlError {
  readonly host: string;
  readonly why: Unreachable;
  readonly lastWords: string;

  constructor(
    host: string,
    why: Unreachable,
    message: string,
    { lastWords = "", cause }: { readonly lastWords?: string; readonly cause?: unknown } = {},
  ) {
    super("connect", `${host}: ${message}${lastWords === "" ? "" : `: ${lastWords}`}`, { cause });
    this.host = host;
    this.why = why;
    this.lastWords = lastWords;
  }
}

/**
 * The connection to a host ended before it had answered. What was only read can be read again. A change that had begun goes on there: `key`
 * is what its outcome can be asked by; null for a call that changes nothing, and for a change that never began.
 */
export class LostError extends QmpctlError {
  readonly host: string;
  readonly key: string | null;

  constructor(host: string, message: string, key: string | null, options?: { readonly cause?: unknown }) {
    super("closed", `${host}: ${message}`, options);
    this.host = host;
    this.key = key;
  }
}

/** A key does not allow what was asked, as its `command=` in authorized_keys says there. */
export class ForbiddenError extends QmpctlError {
  constructor(message: string) {
    super("refused", message);
  }
}
