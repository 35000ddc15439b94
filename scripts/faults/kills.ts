import { setTimeout as wait } from "node:timers/promises";
import { fractionsFrom } from "../lab/fractions.ts";
import type { Fault } from "./faults.ts";
import type { Rig } from "./rig.ts";
import { type Outcome, tryFault } from "./run.ts";

/** Kills changes at random moments, and resolves each in one way or the other. Prints the seed and every broken promise. */
export async function randomKills(count: number, seed: number, open: () => Promise<Rig>): Promise<readonly Outcome[]> {
  const random = fractionsFrom(seed);
  const outcomes: Outcome[] = [];
  let rig: Rig | undefined;
  let longest = 600;
  try {
    while (outcomes.length < count) {
      // Under software emulation, a machine has a limited number of vCPU threads.
      if (outcomes.length % 40 === 0) rig = void (await rig?.[Symbol.asyncDispose]());
      rig ??= await open();
      const fault: Fault = {
        name: "killed at a random moment",
        steps: [],
        run: async ({ start }) => {
          const begun = performance.now();
          const command = start();
          const moment = random() * longest;
          await Promise.race([wait(moment), command.ended]);
          command.kill("SIGKILL");
          const ended = await command.ended;
          // The moments depend on the machine's speed: from before the first step to after the last.
          if (ended.code !== null) longest = (longest + (performance.now() - begun) * 1.1) / 2;
          else if (moment > 0.9 * longest) longest *= 1.1;
          return { ended, reached: ended.code === null };
        },
      };
      const outcome = await tryFault(rig, fault, "random", outcomes.length % 2 === 0 ? "finish" : "undo");
      outcomes.push(outcome);
      if (outcome.result === "broken") {
        console.error(`NOT HELD: kill ${outcomes.length} of seed ${seed}: ${outcome.why}`);
        rig = void (await rig[Symbol.asyncDispose]());
      }
    }
  } finally {
    await rig?.[Symbol.asyncDispose]();
  }
  const by = (result: Outcome["result"]): number => outcomes.filter((outcome) => outcome.result === result).length;
  console.log(
    `${outcomes[0]?.machine ?? "nothing"}: ${count} changes (seed ${seed}): ${by("held")} killed and held, ${by("not reached")} done before the kill, ${by("broken")} not held`,
  );
  return outcomes;
}
