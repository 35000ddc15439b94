import { describe, expect, it } from "vitest";
import { converse, type Heard } from "../testing/converse.ts";
import { conversationFrom, shrink, type Step, tellSteps } from "../testing/conversation.ts";
import { type Likeness, likenessOf, startLike } from "../testing/machine-model.ts";
import { randomFrom } from "../testing/random.ts";
import { launch, NO_GUEST, type Qemu, qemus } from "./machine.ts";

/** Conversations in a usual run on each QEMU; QMPCTL_DIFFERENTIAL asks for more, QMPCTL_SEED for one. */
const CASES = Number(process.env["QMPCTL_DIFFERENTIAL"] ?? 20);
const ONLY = process.env["QMPCTL_SEED"];
/** Half of them are the same in every run, so that a change can be compared with what was before it. */
const FRESH = Math.floor(Math.random() * 2 ** 31);
const SEEDS = ONLY === undefined ? Array.from({ length: CASES }, (_, index) => (index % 2 === 0 ? index : FRESH + index)) : [Number(ONLY)];

/**
 * Where the truth is not to be had: with out-of-band enabled and seven requests queued, one byte that completes two messages (the `}` of `1}`)
 * overfills QEMU's queue, and an assertion ends it. Seen once, on 11.1. The fake answers.
 */
const OVERFILLED = /qmp_requests->length < QMP_REQ_QUEUE_LEN_MAX/;

async function real(qemu: Qemu, steps: readonly Step[]): Promise<Heard | undefined> {
  await using machine = await launch(qemu.binary, NO_GUEST, { monitors: 2 });
  const heard = await converse(machine.monitors.map((path) => `unix:${path}`), steps);
  if (!heard.some((line) => line.includes("(Error"))) return heard;
  const { stderr } = await machine.exited;
  return OVERFILLED.test(stderr) ? undefined : [...heard, `QEMU: ${stderr}`];
}

async function fake(likeness: Likeness, steps: readonly Step[]): Promise<Heard> {
  await using server = await startLike(likeness);
  return await converse(Object.values(server.addresses), steps);
}

/** Compares both; a failure tells the seed, and the shortest conversation that still differs. */
async function compare(qemu: Qemu, likeness: Likeness, seed: number): Promise<void> {
  const steps = conversationFrom(randomFrom(seed));
  const differs = async (some: readonly Step[]): Promise<boolean> => {
    const [one, other] = await Promise.all([real(qemu, some), fake(likeness, some)]);
    return one !== undefined && one.join("\n") !== other.join("\n");
  };
  if (!(await differs(steps))) return;
  const shortest = await shrink(steps, differs, 40);
  const [one, other] = await Promise.all([real(qemu, shortest), fake(likeness, shortest)]);
  expect(other, `QMPCTL_SEED=${seed}, QEMU ${qemu.version}, shrunk to:\n${tellSteps(shortest)}\n`).toEqual(one);
  throw new Error(`QMPCTL_SEED=${seed}, QEMU ${qemu.version}: differed, and does not any more:\n${tellSteps(shortest)}`);
}

describe.each(await qemus())("QEMU $version", (qemu) => {
  it(`says what the fake says, byte for byte, in ${SEEDS.length} random conversations (from seed ${FRESH})`, async () => {
    await using machine = await launch(qemu.binary, NO_GUEST);
    const likeness = await likenessOf(machine.ask);
    const failures: unknown[] = [];
    for (const seed of SEEDS) await compare(qemu, likeness, seed).catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(String).join("\n\n"));
  });
});
