import { randomFrom } from "../lab/random.ts";
import { fake } from "./fake.ts";
import { framing } from "./framing.ts";
import { session } from "./session.ts";
import { allGone, Finding, heldOpen, type Target } from "./target.ts";

/** All fuzz targets. */
export const TARGETS: readonly Target[] = [framing, session, fake];

/** The result of a run of one target. */
export interface Outcome {
  readonly target: string;
  readonly cases: number;
  /** The seed of the failed case, and its error. */
  readonly failure?: { readonly seed: number; readonly error: unknown };
}

/** Runs the cases of a target. Each has the next number as its seed. Ends when one fails, or when the time or `cases` are used up. */
export async function fuzz(
  target: Target,
  seed: number,
  limit: { readonly milliseconds?: number; readonly cases?: number },
): Promise<Outcome> {
  const { milliseconds = Infinity, cases: most = Infinity } = limit;
  const end = performance.now() + milliseconds;
  let stray: unknown;
  const catchStray = (error: unknown): void => {
    stray ??= error ?? new Finding("rejected with nothing");
  };
  process.on("unhandledRejection", catchStray);
  // If stdout and stderr are pipes, they count as open from their first use on.
  void [process.stdout, process.stderr];
  const before = heldOpen();
  let cases = 0;
  try {
    for (; cases < most && performance.now() < end; cases += 1) {
      try {
        await target.run(randomFrom(seed + cases));
        await allGone(before);
        if (stray !== undefined) throw new Finding("an error that nobody handles", { cause: stray });
      } catch (error) {
        return { target: target.name, cases: cases + 1, failure: { seed: seed + cases, error: stray ?? error } };
      }
    }
    return { target: target.name, cases };
  } finally {
    process.removeListener("unhandledRejection", catchStray);
  }
}
