import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Report } from "../../../src/domain/change/change-report.ts";
import { messageOf } from "../../../src/errors.ts";
import type { Qemu } from "../../lab/machine.ts";
import { replugs } from "../real-rig.ts";
import { wantedOf } from "../rig.ts";
import type { Outcome } from "../run.ts";
import { type Before, checkFar } from "./check.ts";
import { type Fault, FAULTS } from "./faults.ts";
import { Stage } from "./stage.ts";
import { disarm, type Step } from "./steps.ts";

/** Which faults at which steps, and on how many hosts at once. */
export interface FarCourse {
  readonly wanted: (fault: string, step: string) => boolean;
  readonly lanes: number;
  readonly note: (outcome: Outcome) => void;
}

/** Tries each fault at each of its steps on hosts with a machine of this QEMU. */
export async function onHosts(qemu: Qemu, { wanted, lanes, note }: FarCourse): Promise<void> {
  const cases = FAULTS.flatMap((fault) => fault.steps(replugs(qemu)).map((step) => ({ fault, step }))).filter(({ fault, step }) =>
    wanted(fault.name, step),
  );
  const left = cases.entries();
  await Promise.all(
    Array.from({ length: Math.min(lanes, cases.length) }, async () => {
      let stage: Stage | undefined;
      for (const [turn, { fault, step }] of left) {
        stage ??= await Stage.open(qemu);
        const outcome = await tryFar(stage, fault, step, turn % 2 === 0 ? "finish" : "undo");
        note(outcome);
        // A broken host is not used again.
        if (outcome.result === "broken") {
          await stage[Symbol.asyncDispose]();
          stage = undefined;
        } else if ((await stage.machine.look()) === null) await stage.boot();
      }
      await stage?.[Symbol.asyncDispose]();
    }),
  );
}

/** Tries one fault at one step of a change on another host, and checks the promises. */
export async function tryFar(stage: Stage, fault: Fault, step: Step, how: "finish" | "undo"): Promise<Outcome> {
  const about = { machine: `${stage.machine.name}, far`, fault: fault.name, step };
  try {
    const wanted = join(stage.folder, "wanted.json");
    // Of another guest, a device takes seconds to go.
    await writeFile(wanted, JSON.stringify(wantedOf(stage.machine)));
    const words = ["-H", stage.host.name, "apply", "web", wanted, "--static", "--dynamic", "--json", "--force", "--timeout", "20s"];
    const before = await readBefore(stage, words);
    const tried = await fault.run(stage, step, () => stage.begin(...words));
    await checkFar(stage, before, tried, how);
    return { ...about, result: tried.heard.reached ? "held" : "not reached" };
  } catch (error) {
    return { ...about, result: "broken", why: messageOf(error) };
  } finally {
    disarm(stage);
  }
}

async function readBefore(stage: Stage, words: readonly string[]): Promise<Before> {
  const [text, look] = await Promise.all([readFile(stage.machine.configPath, "utf8"), stage.machine.look()]);
  const planned = await stage.begin(...words, "--dry-run").ended;
  if (planned.code !== 0) throw new Error(`the plan: ${planned.stderr}${planned.stdout}`);
  return { text, look, after: (planned.json as Report).config?.after ?? text };
}
