import { QmpctlError } from "../errors.ts";

/** Nothing could be reached at `address`. `errno` is the system's own name of the error (`ENOENT`), if there is one. */
export class ConnectError extends QmpctlError {
  readonly address: string;
  readonly errno: string | undefined;

  constructor(address: string, why: string, evidence: { readonly errno?: string | undefined; readonly cause?: unknown } = {}) {
    super("connect", `${address}: ${why}`, { cause: evidence.cause });
    this.address = address;
    this.errno = evidence.errno;
  }
}

/** Whether a monitor is there, but has more clients waiting than the system queues. */
export function isQueueFull(error: unknown): error is ConnectError {
  return error instanceof ConnectError && error.errno === "EAGAIN";
}

/** The peer sent something that is not QMP. `excerpt` shows the bytes, with everything unprintable escaped. */
export class ProtocolError extends QmpctlError {
  readonly excerpt: string;

  constructor(what: string, why: string, evidence: { readonly excerpt: string; readonly cause?: unknown }) {
    super("protocol", `${what}: ${why}: ${evidence.excerpt}`, { cause: evidence.cause });
    this.excerpt = evidence.excerpt;
  }
}

const LONGEST_EXCERPT = 120;

/** Text for an error message: quoted, on one line, with unprintable bytes escaped, and cut in the middle if it is long. */
export function excerptOf(text: string): string {
  const half = LONGEST_EXCERPT / 2;
  const short = text.length <= LONGEST_EXCERPT ? text : `${text.slice(0, half)}…${text.slice(-half)}`;
  const quoted = JSON.stringify(short).replace(/[\u007f-\u00ff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
  return text.length <= LONGEST_EXCERPT ? quoted : `${quoted} (${text.length} bytes)`;
}
