import type { Random } from "../lab/random.ts";

/** A fuzz target. */
export interface Target {
  readonly name: string;
  /** Runs one case with these random numbers only. Rejects, or throws, when a promise is broken. */
  run(random: Random): void | Promise<void>;
}

/** How long one case may take before it counts as hung, in milliseconds. */
const PATIENCE = 15_000;

/** A broken promise. */
export class Finding extends Error {}

/** Throws a finding with this text if the condition does not hold. */
export function insist(right: boolean, why: string): asserts right {
  if (!right) throw new Finding(why);
}

/** The result of a promise. If it hangs, that is a finding. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Finding(`hangs: ${what}`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How many timers and sockets are open in this process. */
export function heldOpen(): number {
  return process.getActiveResourcesInfo().filter((it) => /^(Timeout|Immediate|TCP|Pipe)/.test(it)).length;
}

/**
 * Waits until no more is open than before. A socket needs some turns to close, and the caller has timers too.
 * If more stays open for two seconds, that is a finding.
 */
export async function allGone(before: number): Promise<void> {
  for (const end = performance.now() + 2000; performance.now() < end && heldOpen() > before;)
    await new Promise((resolve) => setImmediate(resolve));
  insist(heldOpen() <= before, `left open: ${process.getActiveResourcesInfo().join(" ")}`);
}
