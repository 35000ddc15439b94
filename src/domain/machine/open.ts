import { isErrorCode, QmpctlError } from "../../errors.ts";
import { connect, type Session } from "../../qmp/session.ts";
import { type Deadline, deadlineIn } from "../model/deadline.ts";
import { whyStopped } from "../pulse.ts";
import { type Identity, StrangerError } from "./identity.ts";
import { withDeadline } from "./with-deadline.ts";

/** How long a session may take to be there, and what cuts that short. */
export interface OpenOptions {
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A session with a machine, by one of its monitors, the control one unless told: the only way to one. The QEMU that answers has been asked who it is. A connection that
 * breaks meanwhile is no answer: it is asked once more on a new one.
 *
 * @throws StrangerError when it is another, or can't be reached as it is; the session's errors: connect, greeting, negotiation; TimeoutError
 */
export async function openSession(machine: Identity, options: OpenOptions, address: string | null = machine.known.control): Promise<Session> {
  const { domain, obstacle } = machine.known;
  if (obstacle !== null || address === null) throw new StrangerError(`${domain}: ${obstacle ?? "it has no monitor"}`);
  const deadline = deadlineIn(Math.max(1, options.timeout));
  try {
    return await openOnce(machine, address, deadline, options.signal);
  } catch (error) {
    if (isErrorCode(error, "connect", "greeting", "timeout")) throw (await stopped(machine, error)) ?? error;
    if (!isErrorCode(error, "closed") || deadline.left() === 0 || !(await machine.isThere())) throw error;
    return await openOnce(machine, address, deadline, options.signal);
  }
}

/** A QEMU that a signal has stopped answers nothing, whoever holds its monitors. */
async function stopped({ pid, known }: Identity, cause: unknown): Promise<QmpctlError | null> {
  const why = await whyStopped(pid);
  return why === null ? null : new QmpctlError("connect", `${known.domain}: ${why}`, { cause });
}

async function openOnce(machine: Identity, address: string, deadline: Deadline, signal: AbortSignal | undefined): Promise<Session> {
  const session = await connect(address, { timeout: Math.max(1, deadline.left()), signal });
  try {
    await withDeadline(() => machine.check(session), `${machine.known.domain}: the monitor`, { by: deadline, signal, least: 0 });
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** When the control monitor has not greeted by then, it is probably held by a change under way. */
const PATIENCE = 250;

/**
 * A session to read from: by the control monitor, or, when that is held by a change that waits for its guest, by the
 * watchers' one. The first that answers is taken.
 */
export async function openReader(machine: Identity, options: OpenOptions): Promise<Session> {
  const { watch } = machine.known;
  const enough = new AbortController();
  const signal = options.signal === undefined ? enough.signal : AbortSignal.any([enough.signal, options.signal]);
  const control = openSession(machine, { ...options, signal });
  const others = watch === null ? [] : [later(control, () => openSession(machine, { ...options, signal }, watch))];
  const tries = [control, ...others];
  try {
    const session = await Promise.any(tries);
    for (const attempt of tries) void attempt.then((it) => (it === session ? undefined : it.close()), () => undefined);
    return session;
  } catch (error) {
    // The control monitor's own error says most: who may hold it, why it can't be reached.
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    enough.abort();
  }
}

/** Begins the second attempt when the first one has failed, or has been quiet for a while. */
async function later<T>(first: Promise<T>, second: () => Promise<T>): Promise<T> {
  const outcome = await new Promise<"greeted" | "failed" | "quiet">((resolve) => {
    const timer = setTimeout(() => resolve("quiet"), PATIENCE);
    const settled = (how: "greeted" | "failed") => () => {
      clearTimeout(timer);
      resolve(how);
    };
    first.then(settled("greeted"), settled("failed"));
  });
  return outcome === "greeted" ? first : second();
}
