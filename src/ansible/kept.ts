import { randomUuid } from "../digest.ts";
import { domainFolders } from "../domain/machine/place.ts";
import { Outcomes, type Work } from "../remote/outcomes.ts";
import type { Surroundings } from "./surroundings.ts";

/** How something is done of which is kept what becomes of it. */
export interface Steps {
  /** To be called before anything is touched. */
  begun(): Promise<void>;
  /** To be called with what it comes to, while that can still be proved. */
  keep(outcome: unknown): Promise<void>;
}

/** What it may take besides what it is given for the lock, the work and the undo, in milliseconds. */
const GRACE = 30_000;

/** By when something has to have ended that has these limits, in milliseconds. It waits for its lock as long as it may take. */
export function patienceFor(timeout: number = 60_000, undoTimeout: number = 15_000): number {
  return 2 * timeout + undoTimeout + GRACE;
}

/** What was done, and the key by which it is kept; null where there was nothing to do. */
export interface Kept<T> {
  readonly value: T;
  readonly key: string | null;
}

/**
 * Does something, and keeps on this host what becomes of it, from the moment that it begins: `qmpctl outcome KEY` asks for it if the answer
 * never arrives. Nobody else knows the key yet, so what never begins leaves nothing.
 *
 * @throws what the work throws; HostError when nothing can be kept: then nothing was begun
 */
export async function keptOnHost<T>(
  { env, begins }: Surroundings,
  { domain, request, patience }: Pick<Work, "domain" | "request" | "patience">,
  work: (steps: Steps) => Promise<T>,
): Promise<Kept<T>> {
  const key = randomUuid();
  const outcomes = new Outcomes(domainFolders({ env }).state);
  let ending: { resolve(value: unknown): void; reject(error: unknown): void } | undefined;
  let over: Promise<unknown> = Promise.resolve();
  let keep: ((outcome: unknown) => Promise<void>) | undefined;
  const begun = async (): Promise<void> => {
    begins();
    if (ending !== undefined) return;
    const ended = new Promise<unknown>((resolve, reject) => void (ending = { resolve, reject }));
    await new Promise<void>((resolve, reject) => {
      over = outcomes.once({
        ...{ key, domain, request, patience, signal: new AbortController().signal },
        run: async (onBegun, onEnded) => {
          await onBegun();
          keep = onEnded;
          resolve();
          return ended;
        },
      });
      over.catch(reject);
    });
  };
  try {
    const value = await work({ begun, keep: async (outcome) => keep?.(outcome) });
    ending?.resolve(value);
    await over;
    return { value, key: ending === undefined ? null : key };
  } catch (error) {
    ending?.reject(error);
    await over.catch(() => undefined);
    throw error;
  }
}
