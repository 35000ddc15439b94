/// <reference lib="esnext.disposable" preserve="true" />
import { type Deadline, deadlineIn } from "../../deadline.ts";
import { formatTime, isErrorCode } from "../../errors.ts";
import { GreetingError } from "../../qmp/errors.ts";
import { connect, type Session } from "../../qmp/session.ts";
import { describeWait, explained, holdersOf } from "./holders.ts";
import { type Identity, StrangerError } from "./identity.ts";
import { whyStopped } from "./wait-notice.ts";
import { withDeadline } from "./with-deadline.ts";

/** By when a session must be there, and what cuts that short. */
export interface OpenOptions {
  readonly by: Deadline;
  readonly signal?: AbortSignal | undefined;
  /** By when to give up if another client holds the monitor; else `by`. A QEMU that nobody holds has to answer by `by` all the same. */
  readonly heldBy?: Deadline | undefined;
  /** Told what is waited for, while another client holds the monitor. */
  readonly onHeld?: ((what: string) => void) | undefined;
}

/** The least time that a QEMU gets, in milliseconds: when it was found the time may be over, and no QEMU answers in none. */
const LEAST = 100;

/**
 * Opens a session with a machine at one of its monitors, by default the control monitor. This is the only way to a machine, and the QEMU
 * that answers has been asked who it is. If the connection breaks meanwhile, that is asked once more on a new one.
 *
 * @throws StrangerError when it is another QEMU, or can't be reached as it is; HeldError when another client holds the monitor;
 * TimeoutError; the session's errors: connect, greeting, negotiation; the signal's reason
 */
export async function openSession(
  machine: Identity,
  options: OpenOptions,
  address: string | null = machine.known.control,
): Promise<Session> {
  const { domain, obstacle } = machine.known;
  if (obstacle !== null || address === null) throw new StrangerError(`${domain}: ${obstacle ?? "it has no monitor"}`);
  const unheld = deadlineIn(Math.max(LEAST, options.by.left()));
  const deadline = deadlineIn(Math.max(unheld.timeout, options.heldBy?.left() ?? 0));
  using waiting = new Waiting(machine, address, { ...options, by: unheld }, deadline);
  try {
    return await openOnce(machine, address, deadline, waiting.signal);
  } catch (error) {
    options.signal?.throwIfAborted();
    const cause = waiting.givenUp ?? error;
    const why = await explained(machine, address, cause, deadline.elapsed());
    if (why !== cause || !isErrorCode(cause, "closed") || deadline.left() === 0 || !(await machine.isThere())) throw why;
    return await openOnce(machine, address, deadline, waiting.signal);
  }
}

/** How long to say nothing about a monitor that has not greeted, and how often to look again who holds it, in milliseconds. */
const LOOK = 1000;

/** Gives up on a machine that does not answer in time, unless another client holds the monitor: then there is more time. */
class Waiting implements Disposable {
  readonly #machine: Identity;
  readonly #address: string;
  readonly #options: OpenOptions;
  readonly #deadline: Deadline;
  readonly #over = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  /** The reason, if it was given up. */
  givenUp: GreetingError | undefined;

  constructor(machine: Identity, address: string, options: OpenOptions, deadline: Deadline) {
    this.#machine = machine;
    this.#address = address;
    this.#options = options;
    this.#deadline = deadline;
    // If there is no more time for a monitor that is held, and nobody to tell, the deadline is enough.
    if (deadline.timeout > options.by.timeout || options.onHeld !== undefined)
      this.#timer = setInterval(() => void this.#look(), Math.min(LOOK, options.by.timeout));
  }

  get signal(): AbortSignal {
    return eitherOf(this.#over.signal, this.#options.signal);
  }

  async #look(): Promise<void> {
    const stopped = (await whyStopped(this.#machine.pid)) !== null;
    const clients = stopped ? null : await holdersOf(this.#machine, this.#address);
    // On another host nobody can be seen, so it may be held.
    const mayBeHeld = !stopped && clients?.isHeld !== false;
    if (mayBeHeld) this.#options.onHeld?.(describeWait(this.#address, clients));
    else if (this.#options.by.left() === 0) this.#giveUp();
  }

  #giveUp(): void {
    this.givenUp ??= new GreetingError(
      this.#address,
      `connected, and no QMP greeting came within ${formatTime(this.#deadline.elapsed())}: no other process holds this monitor, so another session of this process does, or QEMU is busy or stuck`,
    );
    this.#over.abort(this.givenUp);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function eitherOf(own: AbortSignal, others: AbortSignal | undefined): AbortSignal {
  return others === undefined ? own : AbortSignal.any([own, others]);
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

/** If the first monitor has not greeted after so many milliseconds, another client probably holds it. */
const QUIET = 250;

/**
 * Opens a session to read from: at the control monitor, or at the watchers' monitor while a change holds the first. The one that answers
 * first is taken. `first` is the one to begin with.
 *
 * @throws what the first monitor's attempt throws, as `openSession` does
 */
export async function openReader(machine: Identity, options: OpenOptions, first: "control" | "watch" = "control"): Promise<Session> {
  const { control, watch } = machine.known;
  const [one, other] = watch === null || first === "control" ? [control, watch] : [watch, control];
  const enough = new AbortController();
  const signal = eitherOf(enough.signal, options.signal);
  const attempt = openSession(machine, { ...options, signal }, one);
  const second = async (): Promise<Session> => {
    // A reader that begins with the watchers' monitor leaves the other one to changes, unless a client holds the first. A QEMU that is slow
    // is slow at both.
    const isFree = first === "watch" && watch !== null && (await holdersOf(machine, watch))?.isHeld === false;
    return isFree ? attempt : openSession(machine, { ...options, signal }, other);
  };
  const others = other === null ? [] : [later(attempt, second)];
  const tries = [attempt, ...others];
  try {
    const session = await Promise.any(tries);
    for (const each of tries)
      void each.then(
        (it) => (it === session ? undefined : it.close()),
        () => undefined,
      );
    return session;
  } catch (error) {
    // The first monitor's error says most: who holds it, why it can't be reached.
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    enough.abort();
  }
}

/** Begins the second attempt when the first one has failed, or has been quiet for a while. */
async function later<T>(first: Promise<T>, second: () => Promise<T>): Promise<T> {
  const outcome = await new Promise<"greeted" | "failed" | "quiet">((resolve) => {
    const timer = setTimeout(() => resolve("quiet"), QUIET);
    const settled = (how: "greeted" | "failed") => () => {
      clearTimeout(timer);
      resolve(how);
    };
    first.then(settled("greeted"), settled("failed"));
  });
  return outcome === "greeted" ? first : second();
}
