import { messageOf } from "../../src/errors.ts";
import type { Rig } from "./rig.ts";
import { type Choices, type Move, movesOf, play, shortest } from "./sequences.ts";

/** Values for a machine of 2 GiB and four vCPUs: right ones, and some that have to be refused. */
export const FAKE_CHOICES: Choices = { sizes: [256, 512, 1024, 1536, 2048, 3072], maxSizes: [512, 2048, 4096], counts: [1, 2, 3, 4, 5], maxCounts: [2, 4, 8], masks: ["0", "1", "0-1", "all"] };
/** For one of 512 MiB with a Linux in it. */
export const REAL_CHOICES: Choices = { sizes: [400, 448, 512, 600], maxSizes: [512, 1024], counts: [1, 2, 3], maxCounts: [64, 128], masks: ["0", "1", "all"] };
/** Without vCPUs that come and go: software emulation before QEMU 10 can't have them back. */
export const OLD_CHOICES: Choices = { ...REAL_CHOICES, counts: [1], maxCounts: [4, 8] };

/** Plays one sequence; why it failed, with its seed and the shortest sequence that does so too, or null. */
export async function tellFailure(open: () => Promise<Rig>, seed: number, moves: readonly Move[], { stopped = false } = {}): Promise<string | null> {
  const why = await failureOf(open, moves, stopped);
  if (why === null) return null;
  const short = await shortest(moves, async (fewer) => (await failureOf(open, fewer, stopped)) !== null);
  return `seed ${seed}: ${why}\nshortest found (${short.length} of ${moves.length} moves): ${JSON.stringify(short)}`;
}

async function failureOf(open: () => Promise<Rig>, moves: readonly Move[], stopped: boolean): Promise<string | null> {
  await using rig = await open();
  if (stopped) await rig.killQemu();
  return await play(rig, moves, rig.ends.base.mask).then(() => null, messageOf);
}

/** Many sequences; on a real machine, which takes long to start, one after the other on the same. True when all went as the model has it. */
export async function runSequences(count: number, first: number, open: () => Promise<Rig>, { reopen, length, choices }: { readonly reopen: number; readonly length: number; readonly choices: Choices }): Promise<boolean> {
  const start = performance.now();
  let [failed, steps, name] = [0, 0, ""];
  let rig: Rig | undefined;
  try {
    for (let seed = first; seed < first + count; seed++) {
      if ((seed - first) % reopen === 0) rig = void (await rig?.[Symbol.asyncDispose]());
      rig ??= await open();
      name = rig.name;
      if (!rig.real && seed % 6 === 0) await rig.killQemu();
      const moves = movesOf(seed, length, choices);
      steps += moves.length;
      const why = await play(rig, moves, rig.ends.base.mask).then(() => null, messageOf);
      if (why === null && (rig.real || seed % 6 !== 0)) continue;
      rig = void (await rig[Symbol.asyncDispose]());
      if (why === null) continue;
      failed += 1;
      const told = (await tellFailure(open, seed, moves, { stopped: name === "fake" && seed % 6 === 0 })) ?? `seed ${seed}: ${why}\n(not alone: it came after ${(seed - first) % reopen} others on the same machine)`;
      console.error(`NOT AS THE MODEL: ${told}`);
    }
  } finally {
    await rig?.[Symbol.asyncDispose]();
  }
  console.log(`${name}: ${count} sequences (seeds ${first} to ${first + count - 1}), ${steps} changes, ${failed} not as the model; ${Math.round((performance.now() - start) / 1000)} s`);
  return failed === 0;
}
