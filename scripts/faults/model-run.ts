import { messageOf } from "../../src/errors.ts";
import { type Choices, type Move, movesOf } from "./move.ts";
import type { Rig } from "./rig.ts";
import { play } from "./sequences.ts";
import { shortest } from "./shrink.ts";

/** Values for a machine of 2 GiB and four vCPUs. Some of them must be refused. */
export const FAKE_CHOICES: Choices = {
  sizes: [256, 512, 1024, 1536, 2048, 3072],
  maxSizes: [512, 2048, 4096],
  plugged: [0, 256, 512, 1024, 1025, 2048],
  dimms: [0, 0, 128, 256],
  counts: [1, 2, 3, 4, 5],
  maxCounts: [2, 4, 8],
  guest: [1, 2, 3],
  online: ["1", "2", "3", "1-2", "1,3", "0-1", "5"],
  masks: ["0", "1", "0-1", "all"],
  kills: true,
};
/** Values for a machine of 512 MiB with a Linux guest. */
export const REAL_CHOICES: Choices = {
  sizes: [400, 448, 512, 600],
  maxSizes: [512, 1024],
  plugged: [0, 128, 256, 257, 2048],
  dimms: [0, 0, 128],
  counts: [1, 2, 3],
  maxCounts: [64, 128],
  guest: [],
  online: ["1", "2", "1-2", "0"],
  masks: ["0", "1", "all"],
  kills: false,
};
/** Values without unplugs: under software emulation, QEMU before 10 can't plug a vCPU again, nor one above a missing one. */
export const OLD_CHOICES: Choices = { ...REAL_CHOICES, counts: [1], maxCounts: [4, 8], online: ["0"] };

/** Plays one sequence on a new machine. If it fails: why, with the seed and the shortest sequence that also fails. Else null. */
export async function tellFailure(
  open: () => Promise<Rig>,
  seed: number,
  moves: readonly Move[],
  { stopped = false } = {},
): Promise<string | null> {
  const why = await failureOf(open, moves, stopped);
  if (why === null) return null;
  const short = await shortest(moves, async (fewer) => (await failureOf(open, fewer, stopped)) !== null);
  return `seed ${seed}: ${why}\nshortest found (${short.length} of ${moves.length} moves${stopped ? ", on a stopped machine" : ""}): ${JSON.stringify(short)}\n${(await failureOf(open, short, stopped)) ?? "the last attempt did not fail"}`;
}

async function failureOf(open: () => Promise<Rig>, moves: readonly Move[], stopped: boolean): Promise<string | null> {
  await using rig = await open();
  if (stopped) await rig.killQemu();
  return await play(rig, moves, rig.ends.base.mask).then(() => null, messageOf);
}

/** Whether the sequence of a seed is for a stopped machine. Only fakes: a real one takes too long to start. */
export function isStopped(seed: number): boolean {
  return seed % 6 === 0;
}

/** How sequences are run: how many on one machine, the length of each, and how many machines at a time. */
export interface Course {
  readonly reopen: number;
  readonly length: number;
  readonly choices: Choices;
  readonly lanes: number;
}

/** Plays many sequences, several on each machine, because a real one takes long to start. True: all agreed with the model. */
export async function runSequences(count: number, first: number, open: () => Promise<Rig>, course: Course): Promise<boolean> {
  const start = performance.now();
  const seeds = Array.from({ length: count }, (_, position) => first + position);
  const failed = await runSeeds(seeds, open, course);
  tellEnd(count, first, course, failed, start);
  return failed === 0;
}

/** The last line: what was run, and the result. */
export function tellEnd(count: number, first: number, { length }: Course, failed: number, start: number): void {
  console.log(
    `${count} sequences (seeds ${first} to ${first + count - 1}), ${count * length} changes, ${failed} differ from the model; ${Math.round((performance.now() - start) / 1000)} s`,
  );
}

/** Plays the sequences of these seeds. Resolves with how many differ from the model. Each of them is reported on stderr. */
export async function runSeeds(seeds: readonly number[], open: () => Promise<Rig>, course: Course): Promise<number> {
  const lanes = Array.from({ length: course.lanes }, (_, lane) =>
    new Lane(open, course).run(seeds.filter((_seed, position) => position % course.lanes === lane)),
  );
  return (await Promise.all(lanes)).reduce((sum, each) => sum + each, 0);
}

/** One machine after the other, each with several sequences: first on running machines, then on stopped ones. */
class Lane {
  readonly #open: () => Promise<Rig>;
  readonly #course: Course;
  #rig: Rig | undefined;
  /** All earlier moves on this machine, and whether it was stopped before them. */
  #past: Move[] = [];
  #stopped = false;
  #failed = 0;

  constructor(open: () => Promise<Rig>, course: Course) {
    this.#open = open;
    this.#course = course;
  }

  /** How many of these differ from the model. */
  async run(seeds: readonly number[]): Promise<number> {
    try {
      for (const stopped of [false, true]) {
        for (const [position, seed] of seeds.filter((it) => isStopped(it) === stopped).entries()) {
          if (position % this.#course.reopen === 0) await this.#leave();
          await this.#one(seed, stopped);
        }
      }
    } finally {
      await this.#leave();
    }
    return this.#failed;
  }

  async #one(seed: number, stopped: boolean): Promise<void> {
    const moves = movesOf(seed, this.#course.length, this.#course.choices);
    const rig = this.#rig ?? (await this.#enter(stopped));
    const past = [...this.#past];
    const why = await play(rig, moves, rig.ends.base.mask).then(() => null, messageOf);
    this.#past.push(...moves);
    const died = !this.#stopped && (await rig.look().catch(() => null)) === null;
    if (why !== null) await this.#tell(seed, why, past, moves);
    if (why !== null || died) await this.#leave();
  }

  /** Tries a failed sequence again on a new machine: alone, then after all earlier moves. */
  async #tell(seed: number, why: string, past: readonly Move[], moves: readonly Move[]): Promise<void> {
    this.#failed += 1;
    const again = (all: readonly Move[]): Promise<string | null> => tellFailure(this.#open, seed, all, { stopped: this.#stopped });
    const found = (await again(moves)) ?? (past.length === 0 ? null : await again([...past, ...moves]));
    console.error(
      `DIFFERS FROM THE MODEL: ${found ?? `seed ${seed}: ${why}\n(it did not fail again, neither alone nor after the ${past.length} moves before it)`}`,
    );
  }

  async #enter(stopped: boolean): Promise<Rig> {
    const rig = await this.#open();
    this.#rig = rig;
    this.#stopped = stopped && !rig.real;
    if (this.#stopped) await rig.killQemu();
    return rig;
  }

  async #leave(): Promise<void> {
    await this.#rig?.[Symbol.asyncDispose]();
    this.#rig = undefined;
    this.#past = [];
  }
}
