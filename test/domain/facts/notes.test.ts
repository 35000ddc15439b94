import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pid } from "node:process";
import { describe, expect, test } from "vitest";
import { forgetAsked, readAsked, writeAsked } from "../../../src/domain/facts/notes.ts";
import { startTime } from "../../../src/host/threads.ts";
import { ownFolder } from "../../config/folder.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

describe("the note of what was asked", () => {
  test("comes back as it was written, for the process that it is about", async () => {
    const folder = await ownFolder();
    const asked = { balloon: 300 * 2 ** 20, unplug: [3, 2], threads: 4 };
    await writeAsked(folder, pid, asked);
    expect(await readAsked(folder, pid)).toEqual(asked);
    expect((await stat(join(folder, "asked.json"))).mode & 0o777).toBe(0o600);
  });

  test("is nobody's where there is no process, or another one by now", async () => {
    const folder = await ownFolder();
    await writeAsked(folder, null, { balloon: 1 });
    expect(await readAsked(folder, null)).toEqual({});
    await writeFile(join(folder, "asked.json"), JSON.stringify({ pid, started: (await startTime(pid) ?? 0) - 1, balloon: 1 }));
    expect(await readAsked(folder, pid)).toEqual({});
  });

  test("goes with its process", async () => {
    const folder = await ownFolder();
    await writeAsked(folder, pid, { balloon: 1 });
    await writeAsked(folder, NOBODY, { balloon: 2 });
    expect(await readAsked(folder, pid)).toEqual({});
    await writeAsked(folder, pid, { balloon: 1 });
    await forgetAsked(folder);
    await forgetAsked(folder);
    await expect(readFile(join(folder, "asked.json"))).rejects.toThrow("ENOENT");
  });

  test.each(["", "{", "null", "[]", "7"])("counts as none where it is damaged to %j", async (text) => {
    const folder = await ownFolder();
    await writeFile(join(folder, "asked.json"), text);
    expect(await readAsked(folder, pid)).toEqual({});
  });

  test("counts as far as it makes sense", async () => {
    const folder = await ownFolder();
    const kept = { pid, started: await startTime(pid), balloon: "much", unplug: [1, "2"], threads: 4 };
    await writeFile(join(folder, "asked.json"), JSON.stringify(kept));
    expect(await readAsked(folder, pid)).toEqual({ threads: 4 });
  });
});
