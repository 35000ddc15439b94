/// <reference lib="esnext.disposable" preserve="true" />
import { type Deadline, now } from "../../deadline.ts";
import { isStopped } from "../../host/threads.ts";
import type { Progress } from "../model/change.ts";

/** How long a change may say nothing before its caller is told what it waits for, in milliseconds. */
const QUIET = 1000;

/**
 * Tells the caller what a change waits for and until when, while the change has nothing else to tell. A silent QEMU must not look as if
 * qmpctl hangs.
 */
export class WaitNotice implements Disposable {
  readonly #tell: ((progress: Progress) => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #last: number = now();
  #phase: { readonly what: string; readonly deadline: Deadline; readonly undoing?: true; readonly pid?: number | null } | undefined;

  constructor(tell: ((progress: Progress) => void) | undefined) {
    this.#tell = tell;
    if (tell !== undefined) this.#timer = setInterval(() => void this.#tellWait(), QUIET / 2);
  }

  /** Begins another wait. `pid`: the process that is waited for. */
  enter(what: string, deadline: Deadline, more: { readonly undoing?: true; readonly pid?: number | null } = {}): void {
    this.#phase = { what, deadline, ...more };
  }

  /** Passes on the progress of the steps themselves. */
  readonly onProgress = (progress: Progress): void => {
    this.#last = now();
    this.#tell?.(progress);
  };

  async #tellWait(): Promise<void> {
    const phase = this.#phase;
    if (phase === undefined || now() - this.#last < QUIET) return;
    const { deadline, undoing, pid = null } = phase;
    const stopped = pid !== null && (await isStopped(pid));
    if (this.#phase !== phase) return;
    // It has to fit into one line of a terminal.
    const what = stopped ? `${undoing === true ? "undoing: " : ""}QEMU (process ${pid}) is stopped, kill -CONT ${pid}` : phase.what;
    this.#tell?.({
      what,
      actual: null,
      wanted: null,
      elapsed: deadline.elapsed(),
      timeout: deadline.timeout,
      ...(undoing === true ? { undoing } : {}),
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#phase = undefined;
  }
}

/** Why a process that was stopped by a signal (`kill -STOP`) does not answer, and how to continue it; null if it is not stopped. */
export async function whyStopped(pid: number | null): Promise<string | null> {
  return pid !== null && (await isStopped(pid))
    ? `QEMU (process ${pid}) is stopped by a signal and answers nothing; kill -CONT ${pid} lets it go on`
    : null;
}
