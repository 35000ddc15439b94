import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { openFake } from "./fake-rig.ts";
import { type Course, FAKE_CHOICES, runSeeds, tellEnd } from "./model-run.ts";

/** Sequences at a time in each process. A change often waits for the disk and for programs. */
export const FAKE_COURSE: Course = { reopen: 20, length: 6, choices: FAKE_CHOICES, lanes: 3 };

/** Plays many sequences on fakes, with one process for each CPU. True: all agreed with the model. */
export async function runOnFakes(count: number, first: number): Promise<boolean> {
  const start = performance.now();
  const workers = Math.min(availableParallelism(), count);
  const parts = Array.from({ length: workers }, (_, part) =>
    Array.from({ length: count }, (_seed, position) => first + position).filter((seed) => (seed - first) % workers === part),
  );
  const failed = await Promise.all(parts.map(runPart));
  const sum = failed.reduce((total, each) => total + each, 0);
  tellEnd(count, first, FAKE_COURSE, sum, start);
  return sum === 0;
}

/** A process for these seeds. It ends with us. */
async function runPart(seeds: readonly number[]): Promise<number> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), { execArgv: ["--import", import.meta.resolve("tsx")] });
  const ended = once(child, "exit").then(([code, signal]) =>
    Promise.reject(new Error(`a process that ran sequences ended with ${String(signal ?? code)}`)),
  );
  child.send(seeds);
  const [failed] = (await Promise.race([once(child, "message"), ended])) as [number];
  ended.catch(() => undefined);
  child.disconnect();
  return failed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once("disconnect", () => process.exit());
  const [seeds] = (await once(process, "message")) as [readonly number[]];
  process.send?.(await runSeeds(seeds, () => openFake(), FAKE_COURSE));
}
