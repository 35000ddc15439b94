import { setTimeout as wait } from "node:timers/promises";
import { deadlineIn } from "../../deadline.ts";
import { HostError, isErrorCode } from "../../errors.ts";
import { runStateOf } from "../model/run-state.ts";
import { causeOf } from "./ended.ts";
import type { Launched } from "./launch.ts";

/** How long a guest must run to count as started, in milliseconds: one that powers off at once takes less. */
const ALIVE = 100;
/** How long QEMU may take to end after its guest powered off, in milliseconds. */
const END = 2000;

/**
 * Lets a prepared machine go on, and makes sure that it does. QEMU is asked nothing after `cont`: a command that arrives while the guest
 * powers off makes 5.2 abort and 7.2 hang for good (measured). So its events are listened to instead. RESUME comes before the answer to
 * `cont`.
 *
 * @throws HostError when it ended, or stopped, right after its start
 */
export async function letGo(launched: Pick<Launched, "monitor" | "machine" | "howItEnded">, name: string): Promise<void> {
  const { session } = launched.monitor;
  using events = session.events(["RESUME", "SHUTDOWN", "STOP"]);
  const seen = listen(events);
  try {
    await session.execute("cont");
  } catch (error) {
    if (!isErrorCode(error, "closed")) throw error;
  }
  const late = new AbortController();
  await Promise.race([seen.end, wait(ALIVE, undefined, { signal: late.signal }).catch(() => undefined)]);
  late.abort();
  if (seen.shutdown !== null || seen.closed)
    throw new HostError(`${name}: it ended right after its start: ${await endOf(launched, seen.shutdown)}`);
  if (seen.stopped) throw new HostError(`${name}: it was let go, and stopped again at once${await whyStopped(launched)}`);
}

/** Why the machine stopped. It is about to be ended, so a question can do no harm any more. */
async function whyStopped({ monitor }: Pick<Launched, "monitor">): Promise<string> {
  const answer = await monitor.session.execute("query-status", {}, { timeout: END }).catch(() => null);
  return answer === null ? "" : `: the guest ${runStateOf(answer.status).is}`;
}

interface Seen {
  shutdown: string | null;
  stopped: boolean;
  closed: boolean;
  /** Resolves when the machine has ended or stopped. */
  readonly end: Promise<void>;
}

function listen(events: AsyncIterable<{ readonly event: string; readonly data?: unknown }>): Seen {
  const seen = { shutdown: null as string | null, stopped: false, closed: false };
  const follow = async (): Promise<void> => {
    try {
      for await (const { event, data } of events) {
        if (event === "SHUTDOWN") seen.shutdown = (data as { readonly reason?: string } | undefined)?.reason ?? "";
        if (event === "STOP") seen.stopped = true;
        if (event !== "RESUME") return;
      }
    } catch {
      seen.closed = true;
    }
  };
  return Object.assign(seen, { end: follow() });
}

/** Why the machine ended: SHUTDOWN's reason if that came, else what QEMU left behind. */
async function endOf({ machine, howItEnded }: Pick<Launched, "machine" | "howItEnded">, reason: string | null): Promise<string> {
  if (!(await machine.hasEnded({ by: deadlineIn(END) }))) {
    // 7.2 can hang when it ends; a signal frees it.
    await machine.signal("SIGTERM");
    await machine.hasEnded({ by: deadlineIn(END) });
  }
  return reason === null ? howItEnded() : `${causeOf(reason)} (SHUTDOWN, ${reason})`;
}
