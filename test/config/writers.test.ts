import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { editJson } from "../../src/config/edit.ts";
import { locate } from "../../src/config/locate.ts";
import { createConfig, readConfig, sweepLeftovers } from "../../src/config/store.ts";
import { isAlive } from "../../src/host/threads.ts";
import { runModule } from "../host/processes.ts";
import { configText } from "./fixtures.ts";
import { ownFolders } from "./folder.ts";

const IMPORTS = `import { acquireLock } from "../../src/host/lock.ts";
  import { editJson } from "../../src/config/edit.ts";
  import { readConfig, prepareConfig } from "../../src/config/store.ts";`;

describe("many writers", () => {
  test("under the lock: every commit is in the result", async () => {
    const folders = await ownFolders();
    const place = await locate("web1", folders);
    await createConfig(place, configText({ note: 0 }));
    const writers = await Promise.all(
      Array.from({ length: 6 }, () =>
        runModule(`${IMPORTS}
          const place = ${JSON.stringify(place)};
          for (let turn = 0; turn < 5; turn++) {
            const lock = await acquireLock(${JSON.stringify(join(folders.config, "lock"))}, { timeout: 60_000 });
            const stored = await readConfig(place);
            const next = editJson(stored.text, [{ path: ["note"], value: JSON.parse(stored.text).note + 1 }]);
            await (await prepareConfig(stored, next)).commit();
            await lock.release();
          }
          console.log("done");`),
      ),
    );
    expect(writers.map(({ said }) => said)).toEqual(Array.from({ length: 6 }, () => "done"));
    expect((await readConfig(place)).text).toBe(editJson(configText({ note: 0 }), [{ path: ["note"], value: 30 }]));
    expect((await readdir(folders.config)).sort()).toEqual(["lock", "web1.json"]);
  }, 60_000);

  test("P6: a writer that is killed leaves the old text or the new one, and at most a leftover that is swept", async () => {
    const folders = await ownFolders();
    const place = await locate("web1", folders);
    const [one, two] = [configText({ note: "x".repeat(50_000) }), configText({ note: "y".repeat(50_000) })];
    await createConfig(place, one);
    for (let round = 0; round < 5; round++) {
      const writer = await runModule(`${IMPORTS}
        console.log("up");
        for (let turn = 0; ; turn++) {
          const stored = await readConfig(${JSON.stringify(place)});
          await (await prepareConfig(stored, stored.text.includes("xx") ? ${JSON.stringify(two)} : ${JSON.stringify(one)})).commit();
        }`);
      const moments = round; // reads of ours between its first write and its end: a different moment each round
      for (let read = 0; read < moments * 7; read++) await readFile(place.path);
      await writer.kill();
      expect([one, two]).toContain(await readFile(place.path, "utf8"));
      await sweepLeftovers(place, isAlive);
      expect(await readdir(folders.config)).toEqual(["web1.json"]);
    }
  }, 60_000);
});
