import type { Deadline } from "../../deadline.ts";
import { messageOf } from "../../errors.ts";
import type { Held } from "../machine/lock.ts";
import { type AskOptions, type Monitor, openMonitor } from "../machine/monitor.ts";
import type { Place } from "../machine/place.ts";
import { whyStopped } from "../machine/wait-notice.ts";
import type { ChangeOptions } from "../model/change.ts";
import type { Facts } from "./facts.ts";
import { factsOf, factsWithout } from "./read.ts";

/** The control monitor where the machine is there and answers, else why it does not. */
export interface Opened extends AsyncDisposable {
  readonly open: Monitor | null;
  readonly why?: unknown;
}

/** How long a machine may take to answer; `deadline` is for one whose monitor another client holds, of which `onHeld` is told. */
export interface OpenForOptions extends Pick<ChangeOptions, "signal" | "timeout"> {
  readonly deadline?: Deadline | undefined;
  readonly onHeld?: ((what: string) => void) | undefined;
}

/**
 * Opens the control monitor for a change, which may take no longer than the change itself. A machine that does not answer is
 * no error here: it is refused with the other reasons.
 */
export async function openFor(
  place: Place,
  { machine }: Pick<Held, "machine">,
  { signal, timeout, deadline, onHeld }: OpenForOptions,
): Promise<Opened> {
  const nothing = { open: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (machine === null) return nothing;
  try {
    const open = await openMonitor(place.name, machine, {
      timeout: Math.min(place.timeout, timeout ?? place.timeout),
      signal,
      heldTimeout: place.isTimeoutOwn === true ? undefined : deadline?.left(),
      onHeld,
    });
    return { open, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
  } catch (error) {
    signal?.throwIfAborted();
    // It has ended since it was found: that is stopped, not unreachable.
    if (machine.process !== null && !(await machine.isThere())) return nothing;
    return { ...nothing, why: (await whyStopped(machine.pid)) ?? messageOf(error).replace(`${place.name}: `, "") };
  }
}

/** Both sides of the domain, read on that monitor. */
export async function readFacts(
  place: Place,
  { stored, hindrance }: Pick<Held, "stored" | "hindrance">,
  { open, why }: Opened,
  options: AskOptions,
): Promise<Facts> {
  if (open === null)
    return { ...(await factsWithout(stored, why)), ...(why === undefined && hindrance !== null ? { why: hindrance } : {}) };
  try {
    const facts = await open.ask((session) => factsOf(place, stored, session, open.target.machine), options);
    open.foundProcess(facts.live.pid);
    return facts;
  } catch (error) {
    options.signal?.throwIfAborted();
    // Greeted and then silent, or gone while it was asked: whatever it is, it is not known to be stopped.
    return factsWithout(stored, (await whyStopped(open.pid)) ?? error);
  }
}
