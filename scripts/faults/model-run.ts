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

/** How sequences are run: how many on one machine, how long each is, and how many machines at a time. */
export interface Course {
  readonly reopen: number;
  readonly length: number;
  readonly choices: Choices;
  readonly lanes: number;
}

/** Many sequences, several on the same machine one after the other, as a real one takes long to start. True when all went as the model has it. */
export async function runSequences(count: number, first: number, open: () => Promise<Rig>, course: Course): Promise<boolean> {
  const start = performance.now();
  const seeds = Array.from({ length: count }, (_, position) => first + position);
  const lanes = Array.from({ length: course.lanes }, (_, lane) => new Lane(open, course).run(seeds.filter((seed) => seed % course.lanes === lane)));
  const failed = (await Promise.all(lanes)).reduce((sum, each) => sum + each, 0);
  console.log(`${count} sequences (seeds ${first} to ${first + count - 1}), ${count * course.length} changes, ${failed} not as the model; ${Math.round((performance.now() - start) / 1000)} s`);
  return failed === 0;
}

/** One machine after the other, each with several sequences. */
class Lane {
  readonly #open: () => Promise<Rig>;
  readonly #course: Course;
  #rig: Rig | undefined;
  #failed = 0;

  constructor(open: () => Promise<Rig>, course: Course) {
    this.#open = open;
    this.#course = course;
  }

  /** How many of these did not go as the model has it. */
  async run(seeds: readonly number[]): Promise<number> {
    try {
      for (const [position, seed] of seeds.entries()) {
        if (position % this.#course.reopen === 0) await this.#leave();
        await this.#one(seed);
      }
    } finally {
      await this.#leave();
    }
    return this.#failed;
  }

  async #one(seed: number): Promise<void> {
    const moves = movesOf(seed, this.#course.length, this.#course.choices);
    const rig = (this.#rig ??= await this.#open());
    const stopped = !rig.real && seed % 6 === 0;
    if (stopped) await rig.killQemu();
    const why = await play(rig, moves, rig.ends.base.mask).then(() => null, messageOf);
    if (why !== null || stopped) await this.#leave();
    if (why === null) return;
    this.#failed += 1;
    console.error(`NOT AS THE MODEL: ${(await tellFailure(this.#open, seed, moves, { stopped })) ?? `seed ${seed}: ${why}\n(not alone: it came after others on the same machine)`}`);
  }

  async #leave(): Promise<void> {
    await this.#rig?.[Symbol.asyncDispose]();
    this.#rig = undefined;
  }
}
