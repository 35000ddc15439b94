import { open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Background, startInBackground } from "../../src/host/background.ts";
import { ownFolder } from "../config/folder.ts";

/** A shell script in the background that has a console. */
async function started(script: string): Promise<{ readonly program: Background; readonly folder: string }> {
  const folder = await ownFolder();
  const console = { input: join(folder, "in"), output: join(folder, "out") };
  const program = await startInBackground("sh", ["-c", script], { cwd: folder, output: join(folder, "words"), console });
  onTestFinished(() => program.end());
  return { program, folder };
}

describe("a program with a console", () => {
  test("reads what others write, one after the other, and never an end", async () => {
    const { program, folder } = await started("read one; read two; echo $one $two; echo bad >&2");
    await writeFile(join(folder, "in"), "first\n");
    await writeFile(join(folder, "in"), "second\n");
    expect(await program.ended).toEqual({ code: 0, signal: null });
    expect([await readFile(join(folder, "out"), "utf8"), await readFile(join(folder, "words"), "utf8")]).toEqual([
      "first second\n",
      "bad\n",
    ]);
  });

  test("has it for its owner alone", async () => {
    const { folder } = await started("read all");
    const modes = await Promise.all(["in", "out"].map(async (name) => (await stat(join(folder, name))).mode & 0o777));
    expect(modes).toEqual([0o600, 0o600]);
    expect((await stat(join(folder, "in"))).isFIFO()).toBe(true);
  });

  test("keeps it when its starter has closed it", async () => {
    const { program, folder } = await started("while read line; do echo $line; [ $line = end ] && exit; done");
    const file = await open(join(folder, "in"), "w");
    await file.write("a\nend\n");
    await file.close();
    expect(await program.ended).toMatchObject({ code: 0 });
    expect(await readFile(join(folder, "out"), "utf8")).toBe("a\nend\n");
  });

  test("is not started where the console can't be made", async () => {
    const folder = await ownFolder();
    await writeFile(join(folder, "in"), "");
    const console = { input: join(folder, "in"), output: join(folder, "out") };
    await expect(startInBackground("sh", ["-c", ": > ran"], { cwd: folder, output: join(folder, "words"), console })).rejects.toMatchObject(
      { code: "host", message: expect.stringContaining(`${folder}/in`) as string },
    );
    await expect(stat(join(folder, "ran"))).rejects.toThrow("ENOENT");
  });
});
