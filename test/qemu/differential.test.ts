import { describe, expect, it } from "vitest";
import { conversationFrom, shrink, type Step, tellSteps } from "../../scripts/lab/conversation.ts";
import { launch, NO_GUEST, type Qemu, qemus } from "../../scripts/lab/machine.ts";
import { randomFrom } from "../../scripts/lab/random.ts";
import { beginsAlike, converse, type Heard } from "../testing/converse.ts";
import { type Likeness, likenessOf, startLike } from "../testing/machine-model.ts";

/** Conversations in a usual run on each QEMU; QMPCTL_DIFFERENTIAL asks for more, QMPCTL_SEED for one. */
const CASES = Number(process.env["QMPCTL_DIFFERENTIAL"] ?? 20);
const ONLY = process.env["QMPCTL_SEED"];
/** Half of them are the same in every run, so that a change can be compared with what was before it. */
const FRESH = Math.floor(Math.random() * 2 ** 31);
const SEEDS = ONLY === undefined ? Array.from({ length: CASES }, (_, index) => (index % 2 === 0 ? index : FRESH + index)) : [Number(ONLY)];

/** An assertion that broken text can bring about (overfilled.test.ts). The fake answers; up to there they have to agree. */
const OVERFILLED = /qmp_requests->length < QMP_REQ_QUEUE_LEN_MAX/;

/** What both sides said. */
interface Pair {
  readonly real: Heard;
  readonly fake: Heard;
  readonly alike: boolean;
}

async function both(qemu: Qemu, likeness: Likeness, steps: readonly Step[]): Promise<Pair> {
  const [{ heard, died }, other] = await Promise.all([real(qemu, steps), fake(likeness, steps)]);
  return { real: heard, fake: other, alike: died ? beginsAlike(heard, other) : heard.join("\n") === other.join("\n") };
}

/** `died`: of the assertion. */
async function real(qemu: Qemu, steps: readonly Step[]): Promise<{ readonly heard: Heard; readonly died: boolean }> {
  await using machine = await launch(qemu.binary, NO_GUEST, { monitors: 2 });
  const heard = await converse(
    machine.monitors.map((path) => `unix:${path}`),
    steps,
  );
  if (!heard.some((line) => /: \((?:Error|no end)/.test(line))) return { heard, died: false };
  const { stderr } = await machine.exited;
  return OVERFILLED.test(stderr) ? { heard, died: true } : { heard: [...heard, `QEMU: ${stderr}`], died: false };
}

async function fake(likeness: Likeness, steps: readonly Step[]): Promise<Heard> {
  await using server = await startLike(likeness);
  return await converse(Object.values(server.addresses), steps);
}

/** Compares both; a failure tells the seed, and the shortest conversation that still differs. */
async function compare(qemu: Qemu, likeness: Likeness, seed: number): Promise<void> {
  const steps = conversationFrom(randomFrom(seed));
  const first = await both(qemu, likeness, steps);
  if (first.alike) return;
  const shortest = await shrink(steps, async (some) => !(await both(qemu, likeness, some)).alike, 40);
  const last = await both(qemu, likeness, shortest);
  const told = last.alike ? { ...first, how: "once, and not again", steps } : { ...last, how: "shrunk", steps: shortest };
  expect(told.fake, `QMPCTL_SEED=${seed}, QEMU ${qemu.version}, ${told.how}:\n${tellSteps(told.steps)}\n`).toEqual(told.real);
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
