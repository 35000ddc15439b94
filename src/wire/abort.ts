import { setMaxListeners } from "node:events";

/** Signals whose limit of listeners has been lifted. */
const told = new WeakSet<AbortSignal>();

/**
 * Calls `act` once when the signal is aborted. One signal may serve a thousand calls or a hundred machines, so Node's warning about a leak,
 * from ten listeners on, is turned off for it.
 *
 * @returns a function that stops listening
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (!told.has(signal)) {
    told.add(signal);
    setMaxListeners(0, signal);
  }
  signal.addEventListener("abort", act, { once: true });
  return () => signal.removeEventListener("abort", act);
}
