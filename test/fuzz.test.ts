import { expect, it } from "vitest";
import { fuzz, TARGETS } from "../scripts/fuzz/run.ts";

/** Cases in a usual run; `npm run fuzz` goes on for as long as one likes. */
const CASES: Readonly<Record<string, number>> = { framing: 150, session: 40, fake: 30 };
const FRESH = Math.floor(Math.random() * 2 ** 30);

// Unhandled rejections and what is left open are looked for in the whole process: the targets have to come one after the other.
it.each(TARGETS.flatMap((target) => [[target.name, 1, target] as const, [target.name, FRESH, target] as const]))(
  "%s keeps its promises in random cases from seed %i",
  { timeout: 60_000 },
  async (name, seed, target) => {
    const { cases, failure } = await fuzz(target, seed, { cases: CASES[name] ?? 0 });
    expect(failure?.error, `npm run fuzz -- ${name} --seed ${failure?.seed} --cases 1`).toBeUndefined();
    expect(cases).toBeGreaterThanOrEqual(30);
  },
);
