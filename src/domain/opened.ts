import type { Stored } from "../config/store.ts";
import type { ChangeOptions } from "./change.ts";
import { factsOf, factsWithout, findFor } from "./facts.ts";
import { openControl } from "./machine/find.ts";
import type { AskOptions, Monitor } from "./machine/monitor.ts";
import type { Place } from "./machine/place.ts";
import { whyStopped } from "./pulse.ts";
import type { Facts } from "./resource.ts";

/** The control monitor where the machine is there and answers, else why it does not. */
export interface Opened extends AsyncDisposable {
  readonly open: Monitor | null;
  readonly why?: unknown;
}

/**
 * Opens the control monitor for a change, which may take no longer than the change itself. A machine that does not answer is
 * no error here: it is refused with the other reasons.
 */
export async function openFor(place: Place, stored: Stored | null, { signal, timeout }: Pick<ChangeOptions, "signal" | "timeout">): Promise<Opened> {
  const nothing = { open: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  const present = await findFor(place, stored);
  if (present === null) return nothing;
  try {
    const open = await openControl(place, present, signal, timeout);
    return { open, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
  } catch (error) {
    signal?.throwIfAborted();
    return { ...nothing, why: (await whyStopped(present.pid)) ?? error };
  }
}

/** Both sides of the domain, read on that monitor. */
export async function readFacts(place: Place, stored: Stored | null, { open, why }: Opened, options: AskOptions): Promise<Facts> {
  if (open === null) return factsWithout(stored, why);
  try {
    const facts = await open.ask((session) => factsOf(place, stored, session, open.pid), options);
    open.foundProcess(facts.live.pid);
    return facts;
  } catch (error) {
    options.signal?.throwIfAborted();
    // Greeted and then silent, or gone while it was asked: whatever it is, it is not known to be stopped.
    return factsWithout(stored, (await whyStopped(open.pid)) ?? error);
  }
}
