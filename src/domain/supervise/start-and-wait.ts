import { statePaths } from "../../config/runtime.ts";
import { deadlineIn } from "../../deadline.ts";
import { formatTime, HostError, QmpctlError, UsageError } from "../../errors.ts";
import { isStillThere } from "../../host/signal.ts";
import { endOf } from "../lifecycle/ended.ts";
import { machineIdOf } from "../machine/machine-id.ts";
import type { Place } from "../machine/place.ts";
import { pollUntil } from "../machine/poll-until.ts";
import { readProcessRecord } from "../machine/process-record.ts";
import { WaitNotice } from "../machine/wait-notice.ts";
import type { GuestAnswer, StartOptions, StartReport } from "../model/action.ts";
import { shellWord } from "../model/format.ts";
import { answerSource } from "./guest-answer.ts";
import { storedOf } from "./unit.ts";

/** How long a start and its guest's answer may take, in milliseconds, unless the caller says otherwise. */
export const ANSWER_TIMEOUT = 300_000;

/** What the wait for an answer is part of: a start, or a restart. */
type Start<Options> = (options: Options) => Promise<StartReport>;

/**
 * Starts a machine, and waits until its guest answers. If that does not come about in time, the machine runs on.
 *
 * @throws as the start does; StateError when the config has no way to that answer; UsageError for a pattern that is none, or a guest that
 * is
 * to be paused; QmpctlError `timeout` with what was seen; HostError when the machine ended before; the signal's reason
 */
export async function startAndWait<Options extends StartOptions>(
  place: Place,
  wanted: GuestAnswer,
  options: Options,
  start: Start<Options>,
): Promise<StartReport> {
  if (options.paused === true)
    throw new UsageError(`${place.name}: a guest that is paused answers nobody`, { value: "paused", expected: "either of them" });
  const deadline = deadlineIn(options.timeout ?? ANSWER_TIMEOUT);
  const stored = await storedOf(place);
  const source = answerSource(place, stored, wanted);
  const report = await start(options);
  using notice = new WaitNotice(options.onProgress);
  notice.enter("the guest has not answered yet", deadline);
  const books = statePaths(place.folders, await machineIdOf(stored));
  const process = (await readProcessRecord(books))?.process;
  const look = async (): Promise<string | null | undefined> => {
    const answer = await source.look(Math.max(1, deadline.left()));
    return answer ?? (process === undefined || !(await isStillThere(process)) ? null : undefined);
  };
  const { seen } = await pollUntil(
    { look, done: (found) => found !== undefined, pauses: [source.pause] },
    { by: deadline, signal: options.signal },
  );
  if (typeof seen === "string") return { ...report, answer: seen, elapsed: deadline.elapsed() };
  if (seen === null)
    throw new HostError(`${place.name}: it ended before its guest answered: ${(await endOf(books))?.why ?? "the cause is not known"}`);
  throw new QmpctlError(
    "timeout",
    `${place.name}: it runs (process ${report.pid}), and its guest has not answered within ${formatTime(deadline.timeout)}: ${source.seen()}; it goes on: qmpctl info ${shellWord(place.name)}`,
  );
}
