import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fakeMachine } from "../../src/testing/index.ts";
import type { Scenario } from "./scenario.ts";
import { openStage } from "./stage.ts";
import { scenarios } from "./table.ts";

/** Where the recordings are: `VERSION_ARCH/SCENARIO/1.qmp`, `2.qmp`, … */
export const RECORDINGS: string = new URL("../../fixtures/qmp", import.meta.url).pathname;

/** One scenario, as recorded from one QEMU. */
export interface Recording {
  readonly name: string;
  /** As `7.2.22_x86_64`. */
  readonly qemu: string;
  readonly folder: string;
  readonly scenario: Scenario;
}

/** Every recording there is, by listing. A folder without a scenario is an error: nothing would replay it. */
export function listRecordings(root: string = RECORDINGS): readonly Recording[] {
  const folders = (path: string): readonly string[] =>
    readdirSync(path, { withFileTypes: true })
      .filter((it) => it.isDirectory() && !it.name.startsWith("."))
      .map((it) => it.name)
      .sort();
  return folders(root).flatMap((qemu) =>
    folders(join(root, qemu)).map((name) => {
      const scenario = scenarios[name];
      if (scenario === undefined) throw new Error(`fixtures/qmp/${qemu}/${name}: recorded, and there is no such scenario`);
      return { name, qemu, folder: join(root, qemu, name), scenario };
    }),
  );
}

/**
 * Plays a scenario on its recording: the same code that real QEMU was recorded with, the same expectations.
 * Throws MismatchError, with the transcript's file and line, where the product does other things than then.
 */
export async function replay({ folder, qemu, scenario }: Recording): Promise<void> {
  await using machine = await fakeMachine({ runs: folder });
  const stage = await openStage(scenario.setting ?? {}, { machine, major: Number.parseInt(qemu, 10) });
  try {
    await scenario.play(stage);
  } catch (error) {
    // A mismatch is why, if there was one; what went wrong then is only what came of it.
    await machine.verify().catch((mismatch: Error) => {
      mismatch.cause = error;
      throw mismatch;
    });
    throw error;
  }
  await machine.verify({ finished: true });
}
