import { setMaxListeners } from "node:events";

/** Signals that have been told that many may listen. */
const told = new WeakSet<AbortSignal>();

/**
 * Acts once when the signal is aborted, unless the function that this returns is called before. One signal may well stand for a
 * thousand calls, or for a hundred machines: Node's warning of a leak from ten listeners on would be a false alarm.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  if (!told.has(signal)) {
    told.add(signal);
    setMaxListeners(0, signal);
  }
  signal.addEventListener("abort", act, { once: true });
  return () => signal.removeEventListener("abort", act);
}
