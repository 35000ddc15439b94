import { expect, test } from "vitest";
import { openFake } from "../../scripts/faults/fake-rig.ts";
import { FAKE_CHOICES, isStopped, tellFailure } from "../../scripts/faults/model-run.ts";
import { movesOf } from "../../scripts/faults/move.ts";

// More of them: npm run faults -- --sequences N [--seed N].
const SEED = 20_26;
const SEQUENCES = 6;

test(`${SEQUENCES} random sequences of changes, with mishaps, end as the model has it after every step`, async () => {
  const failures: string[] = [];
  for (let seed = SEED; seed < SEED + SEQUENCES; seed++) {
    const failure = await tellFailure(() => openFake(), seed, movesOf(seed, 6, FAKE_CHOICES), { stopped: isStopped(seed) });
    if (failure !== null) failures.push(failure);
  }
  expect(failures).toEqual([]);
}, 180_000);
