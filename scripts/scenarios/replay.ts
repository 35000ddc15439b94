import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fakeMachine } from "../../src/testing/index.ts";
import type { Scenario } from "./scenario.ts";
import { openStage } from "./stage.ts";
import { scenarios } from "./table.ts";

/** The folder of the recordings: `VERSION_ARCH/SCENARIO/1.qmp`, `2.qmp`, … */
export const RECORDINGS: string = new URL("../../fixtures/qmp", import.meta.url).pathname;

/** The recording of one scenario on one QEMU. */
export interface Recording {
  readonly name: string;
  /** Such as `7.2.22_x86_64`. */
  readonly qemu: string;
  readonly folder: string;
  readonly scenario: Scenario;
}

/** Lists every recording. @throws Error when a folder has no scenario, because nothing would replay it */
export function listRecordings(root: string = RECORDINGS): readonly Recording[] {
  const folders = (path: string): readonly string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter((it) => it.isDirectory() && !it.name.startsWith("."))
      .map((it) => it.name)
      .sort();
  return folders(root).flatMap((qemu) =>
    folders(join(root, qemu)).map((name) => {
      const scenario = scenarios[name];
      if (scenario === undefined) throw new Error(`fixtures/qmp/${qemu}/${name}: a recording without a scenario`);
      return { name, qemu, folder: join(root, qemu, name), scenario };
    }),
  );
}

/**
 * Plays a scenario on its recording, with the same code and the same expectations as on real QEMU.
 * @throws MismatchError when the product does something else than in the recording; it has the transcript's file and line
 */
export async function replay({ folder, qemu, scenario }: Recording): Promise<void> {
  await using machine = await fakeMachine({ runs: folder });
  const stage = await openStage(scenario.setting ?? {}, { machine, major: Number.parseInt(qemu, 10) });
  try {
    await scenario.play(stage);
  } catch (error) {
    // If there was a mismatch, it is the cause, and any later error is only its consequence.
    await machine.verify().catch((mismatch: Error) => {
      mismatch.cause = error;
      throw mismatch;
    });
    throw error;
  }
  await machine.verify({ finished: true });
}
