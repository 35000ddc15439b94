import { setMaxListeners } from "node:events";

/** The same signal for as many hosts as there are: each call listens to it, and Node takes more than ten for a leak. */
export function forMany(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  const own = AbortSignal.any([signal]);
  setMaxListeners(0, own);
  return own;
}
