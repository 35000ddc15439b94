/** How many stacks are taken in one second. One costs 2 µs, as much as the rest of a call, so a flood of calls goes without. */
const STACKS_PER_SECOND = 1000;

/** Where a call was made, for the error of a call that fails much later. */
export interface CallSite {
  readonly stack?: string;
}

/** Remembers where calls were made, up to a number of stacks a second. */
export class CallSites {
  #second = 0;
  #taken = 0;

  /** The stack above `caller`, which is a function on it; undefined when this second's stacks are used up. `now` in milliseconds. */
  take(now: number, caller: (...parameters: never[]) => unknown): CallSite | undefined {
    const second = Math.trunc(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    if (this.#taken >= STACKS_PER_SECOND) return undefined;
    this.#taken++;
    const site: CallSite = {};
    Error.captureStackTrace(site, caller);
    return site;
  }
}

/** Gives an error the stack of the call that it ends. Its own stack only shows the loop that reads the connection. */
export function blame<E extends Error>(error: E, site: CallSite | undefined): E {
  const frames =
    site?.stack?.slice(site.stack.indexOf("\n") + 1) ?? "    (the place of the call is not kept: over 1000 calls in that second)";
  error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}
