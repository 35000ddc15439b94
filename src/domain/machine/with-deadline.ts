import { alarmIn, type Deadline } from "../../deadline.ts";
import { TimeoutError } from "../../qmp/errors.ts";

/** By when an answer must come, and what cuts the wait short. */
export interface WaitOptions {
  readonly by?: Deadline;
  readonly signal?: AbortSignal | undefined;
  /** The least time that it gets, in milliseconds. 0 if nothing depends on the answer but what is shown. */
  readonly least?: number;
}

/** The least time that a question gets, in milliseconds: after the deadline we stop waiting, but we still look once. */
export const LEAST = 2000;

/**
 * The answer of `work`, unless the deadline or an abort comes first. A request that was sent can't be withdrawn, and its late answer is
 * ignored. `stillWanted` tells the work whether it may send anything more.
 *
 * @throws TimeoutError when the deadline passes; the signal's reason; what the work throws
 */
export function withDeadline<T>(
  work: (stillWanted: () => boolean) => Promise<T>,
  what: string,
  { by, signal, least = LEAST }: WaitOptions,
): Promise<T> {
  const time = by === undefined ? undefined : Math.max(least, by.left());
  let stillWanted = true;
  return new Promise<T>((resolve, reject) => {
    const giveUp = (why: unknown): void => {
      stillWanted = false;
      reject(why as Error);
    };
    const stop = (): void => giveUp(signal?.reason);
    // If nothing was left, all of it was used for what came before.
    const late = (): void => giveUp(new TimeoutError(what, Math.round(time === 0 ? (by?.timeout ?? 0) : (time ?? 0)), "unanswered"));
    const cancel = time === undefined ? undefined : alarmIn(time, late);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    const end = (): void => {
      cancel?.();
      signal?.removeEventListener("abort", stop);
    };
    work(() => stillWanted)
      .then(resolve, reject)
      .then(end, end);
  });
}
