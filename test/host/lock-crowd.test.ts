import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runModule } from "./processes.ts";

// All of them, with many rounds each: QMPCTL_THOROUGH=1.
const [PROCESSES, ROUNDS] = process.env["QMPCTL_THOROUGH"] === "1" ? [50, 20] : [6, 10];

/**
 * Takes the lock again and again, patient or not, sometimes for a while, and adds one to the count while it has it; prints what came of it.
 */
const WRITER = (path: string, seed: number): string => `
  import { readFileSync, rmSync, writeFileSync } from "node:fs";
  import { acquireLock, LockedError } from "../../src/host/lock.ts";
  import { fractionsFrom } from "../../scripts/lab/fractions.ts";
  const random = fractionsFrom(${seed});
  const path = ${JSON.stringify(path)};
  const came = { taken: 0, wrong: [] };
  for (let round = 0; round < ${ROUNDS}; round++) {
    try {
      await using lock = await acquireLock(path, { timeout: random() < 0.5 ? Math.floor(random() * 40) : 60_000, holder: "writer " + process.pid });
      writeFileSync(path + ".inside", "", { flag: "wx" });
      const count = Number(readFileSync(path + ".count", "utf8"));
      if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, random() * 4));
      writeFileSync(path + ".count", String(count + 1));
      rmSync(path + ".inside");
      came.taken += 1;
    } catch (error) {
      const { pid, command, since } = error instanceof LockedError ? error.holder : {};
      if (pid === undefined || pid === process.pid || since === undefined || command !== "writer " + pid) came.wrong.push(String(error));
    }
  }
  console.log(JSON.stringify(came));
`;

test(
  `${PROCESSES} processes that want a lock ${ROUNDS} times are in it one at a time, and each that is refused is told who has it, and since when`,
  { timeout: 300_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmpctl-test-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "lock");
    await writeFile(`${path}.count`, "0");
    const ended = await Promise.all(Array.from({ length: PROCESSES }, (_, seed) => runModule(WRITER(path, seed))));
    const came = ended.map(({ said }) => JSON.parse(said) as { readonly taken: number; readonly wrong: readonly string[] });
    expect(came.flatMap(({ wrong }) => wrong)).toEqual([]);
    expect(Number(await readFile(`${path}.count`, "utf8"))).toBe(came.reduce((sum, { taken }) => sum + taken, 0));
  },
);
