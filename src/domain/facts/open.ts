import { type Deadline, partOf } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import type { Session } from "../../qmp/session.ts";
import type { Identity } from "../machine/identity.ts";
import type { Held } from "../machine/lock.ts";
import { type AskOptions, type Monitor, openMonitor } from "../machine/monitor.ts";
import { openReader } from "../machine/open.ts";
import type { Place } from "../machine/place.ts";
import { whyStopped } from "../machine/wait-notice.ts";
import { withDeadline } from "../machine/with-deadline.ts";

/** What was found of a domain before QEMU is asked: its config, the QEMU that runs it, what stands in the way of a start. */
export type Found = Pick<Held, "stored" | "machine" | "hindrance">;

/** A channel to QEMU: the control monitor, or a session for those who only look. */
export interface Channel extends AsyncDisposable {
  ask<T>(question: (session: Session) => Promise<T>, options: AskOptions): Promise<T>;
  /** Told the process that the vCPU threads belong to. */
  foundProcess(pid: number | null): void;
}

/** QEMU as it can be asked. */
export interface Opened<C extends Channel = Monitor> extends AsyncDisposable {
  /** Null if it does not run, or does not answer. */
  readonly open: C | null;
  /** Why it does not answer; undefined if it does, or does not run. */
  readonly why?: string;
}

/** By when QEMU has to answer. */
export interface OpenForOptions {
  readonly by: Deadline;
  /** By when, if another client holds the monitor; else `by`. A timeout that the caller gave for the domain comes before it. */
  readonly heldBy?: Deadline | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told who holds the monitor, while that is waited for. */
  readonly onHeld?: ((what: string) => void) | undefined;
}

/**
 * Opens the control monitor for a change. A QEMU that does not answer is no error here: the change is refused with all reasons at once.
 *
 * @throws the signal's reason
 */
export function openFor(place: Place, found: Pick<Found, "machine">, options: OpenForOptions): Promise<Opened> {
  const { by, heldBy, signal, onHeld } = options;
  return opened(place, found.machine, signal, (machine) =>
    openMonitor(place.name, machine, {
      by: partOf(by, place.timeout),
      heldBy: place.isTimeoutOwn === true ? undefined : heldBy,
      signal,
      onHeld,
    }),
  );
}

/** Opens whichever monitor is free, to look only. A QEMU that does not answer is no error here. @throws the signal's reason */
export function openToLook(place: Place, found: Pick<Found, "machine">, { by, signal }: OpenForOptions): Promise<Opened<Channel>> {
  return opened(place, found.machine, signal, async (machine) => {
    const session = await openReader(machine, { by, signal });
    return {
      // No answer by the deadline is an answer, too: nothing is waited for any longer.
      ask: (question, options) => withDeadline(() => question(session), `${place.name}: the monitor`, { ...options, least: 0 }),
      foundProcess: () => {},
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  });
}

async function opened<C extends Channel>(
  place: Place,
  machine: Identity | null,
  signal: AbortSignal | undefined,
  open: (machine: Identity) => Promise<C>,
): Promise<Opened<C>> {
  const nothing = { open: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (machine === null) return nothing;
  try {
    const channel = await open(machine);
    return { open: channel, [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose]() };
  } catch (error) {
    signal?.throwIfAborted();
    return (await hasEnded(place, machine)) ? nothing : { ...nothing, why: await whyUnreachable(place, machine, error) };
  }
}

/** Whether a QEMU that was found has ended since: then it is stopped, not unreachable. One that is known by its address only never is. */
export async function hasEnded({ address }: Place, machine: Identity): Promise<boolean> {
  return address === null && !(await machine.isThere());
}

/** Why QEMU does not answer, in words that can stand behind the domain's name. */
export async function whyUnreachable({ name }: Place, { pid }: Identity, error: unknown): Promise<string> {
  return (await whyStopped(pid)) ?? messageOf(error).replace(`${name}: `, "");
}
