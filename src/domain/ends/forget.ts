import type { StatePaths } from "../../config/runtime.ts";
import { disarm } from "../../host/timers.ts";
import { hasEnds, isGone, readEnds, writeEnds } from "./record.ts";

/**
 * Forgets the ends of changes of a QEMU that has ended, and takes their timers away: nothing is left to take back. Call it under the
 * machine's lock. It never fails: a timer that stays finds nothing to do.
 */
export async function forgetEnds(books: Pick<StatePaths, "ends" | "endProgram">): Promise<void> {
  if (!hasEnds(books)) return;
  const kept = await readEnds(books);
  const areGone = await Promise.all(kept.ends.map(isGone));
  const gone = kept.ends.filter((_, position) => areGone[position]);
  if (gone.length === 0) return;
  await writeEnds(books, { ...kept, ends: kept.ends.filter((each) => !gone.includes(each)) }).catch(() => undefined);
  for (const { timer } of gone) await disarm(timer).catch(() => undefined);
}
