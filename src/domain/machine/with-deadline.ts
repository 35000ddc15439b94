import { alarmIn, type Deadline } from "../../deadline.ts";
import { TimeoutError } from "../../qmp/errors.ts";

/** Until when to wait. */
export interface WaitOptions {
  readonly by?: Deadline;
  readonly signal?: AbortSignal | undefined;
  /** What it gets at least, in milliseconds; 0 for what is only looked at, where no answer by the deadline is the answer. */
  readonly least?: number;
}

/** What a question gets at least, in milliseconds: a deadline that has passed is a reason to wait no longer, not one to look away. */
export const LEAST = 2000;

/**
 * The answer, unless the deadline or an abort comes first. What was sent can't be taken back, and what comes of it later is not heard;
 * the work is told by `wanted` that it must send nothing more.
 *
 * @throws TimeoutError, the signal's reason, else what the work throws
 */
export function withDeadline<T>(
  work: (wanted: () => boolean) => Promise<T>,
  what: string,
  { by, signal, least = LEAST }: WaitOptions,
): Promise<T> {
  const time = by === undefined ? undefined : Math.max(least, by.left());
  let wanted = true;
  return new Promise<T>((resolve, reject) => {
    const giveUp = (why: unknown): void => {
      wanted = false;
      reject(why as Error);
    };
    const stop = (): void => giveUp(signal?.reason);
    const late = (): void => giveUp(new TimeoutError(what, Math.round(time ?? 0), "unanswered"));
    const cancel = time === undefined ? undefined : alarmIn(time, late);
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    const end = (): void => {
      cancel?.();
      signal?.removeEventListener("abort", stop);
    };
    work(() => wanted)
      .then(resolve, reject)
      .then(end, end);
  });
}
