import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { umask } from "node:process";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Background, startInBackground } from "../../src/host/background.ts";
import { processAt } from "../../src/host/processes.ts";
import { isAlive } from "../../src/host/threads.ts";
import { ownFolder } from "../config/folder.ts";
import { runModule } from "./processes.ts";

/** A shell script in the background, with a folder of its own. */
async function started(script: string): Promise<{ readonly program: Background; readonly folder: string; readonly output: string }> {
  const folder = await ownFolder();
  const output = join(folder, "output");
  const program = await startInBackground("sh", ["-c", script], { cwd: folder, output });
  onTestFinished(() => program.end());
  return { program, folder, output };
}

describe("a program in the background", () => {
  test("works in its folder, reads nothing, and what it says is kept for us alone", async () => {
    const { program, folder, output } = await started("pwd; cat; echo bad >&2; exit 3");
    expect(await program.ended).toEqual({ code: 3, signal: null });
    expect(await readFile(output, "utf8")).toBe(`${folder}\nbad\n`);
    expect((await stat(output)).mode & 0o777).toBe(0o600);
  });

  test("makes no files for everybody, and our own are as before", async () => {
    const before = umask();
    const { program, folder } = await started("umask; : > made; mkdir made.d");
    expect(umask()).toBe(before);
    await program.ended;
    expect([(await stat(join(folder, "made"))).mode & 0o777, (await stat(join(folder, "made.d"))).mode & 0o777]).toEqual([0o640, 0o750]);
  });

  test("is the leader of a session of its own: no terminal's signals reach it", async () => {
    const { program } = await started("exec cat < /dev/zero > /dev/null");
    const fields = (await readFile(`/proc/${program.pid}/stat`, "utf8")).replace(/^.*\) /, "").split(" ");
    // pgrp and session: fields 5 and 6 of proc(5).
    expect(fields.slice(2, 4).map(Number)).toEqual([program.pid, program.pid]);
  });

  test("is known by what it has started, in whatever session, and by nothing else", async () => {
    const { program, folder } = await started("setsid sh -c 'echo $$ > far; exec sleep 60' & wait");
    await expect.poll(() => readFile(join(folder, "far"), "utf8").catch(() => "")).toMatch(/\d+\n/);
    const far = Number(await readFile(join(folder, "far"), "utf8"));
    onTestFinished(() => {
      process.kill(far, "SIGKILL");
    });
    const { program: other } = await started("exec sleep 60");
    expect([program.pid, far, other.pid, process.pid].map(program.started)).toEqual([true, true, false, false]);
  });

  test("that is ended by a signal says by which", async () => {
    const { program } = await started("kill -9 $$");
    expect(await program.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("outlives its starter, and its later output is kept too", async () => {
    const folder = await ownFolder();
    const { said, kill } = await runModule(`import { startInBackground } from "../../src/host/background.ts";
      const { pid } = await startInBackground("sh", ["-c", "while [ ! -e ${folder}/go ]; do sleep 0.05; done; echo late; sleep 60"], { cwd: "/", output: "${folder}/output" });
      console.log(pid); process.stdin.resume();`);
    const pid = Number(said);
    onTestFinished(() => void process.kill(-pid, "SIGKILL"));
    await kill();
    await writeFile(join(folder, "go"), "");
    await expect.poll(() => readFile(join(folder, "output"), "utf8")).toBe("late\n");
    expect(await isAlive(pid)).toBe(true);
  });

  test("does not keep its starter alive", async () => {
    const { said } = await runModule(`import { startInBackground } from "../../src/host/background.ts";
      import { mkdtempSync } from "node:fs";
      const folder = mkdtempSync("${await ownFolder()}/x");
      const { pid } = await startInBackground("sleep", ["60"], { cwd: "/", output: folder + "/output" });
      process.once("beforeExit", () => console.log("ends by itself, and leaves " + pid));`);
    expect(said).toMatch(/^ends by itself, and leaves \d+$/);
    process.kill(-Number(said.split(" ").at(-1)), "SIGKILL");
  });
});

describe("the end of a program in the background", () => {
  test("is that of all that it started", async () => {
    const { program, output } = await started("sleep 60 & echo $!; wait");
    await expect.poll(() => readFile(output, "utf8")).toMatch(/^\d+\n$/);
    const child = Number(await readFile(output, "utf8"));
    expect(await isAlive(child)).toBe(true);
    await program.end();
    expect(await program.ended).toEqual({ code: null, signal: "SIGTERM" });
    await expect.poll(() => isAlive(child)).toBe(false);
    await program.end();
  });

  test("is forced if it does not end when asked", async () => {
    const { program, output } = await started("trap '' TERM; echo up; while :; do sleep 0.1; done");
    await expect.poll(() => readFile(output, "utf8")).toBe("up\n");
    const start = performance.now();
    await program.end();
    expect(performance.now() - start).toBeGreaterThan(1900);
    expect(await processAt(program.pid)).toBeUndefined();
    expect(await program.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("that came before is no error", async () => {
    const { program } = await started("exit 0");
    await program.ended;
    await program.end();
    expect(await program.ended).toEqual({ code: 0, signal: null });
  });
});

describe("a program that can't be run", () => {
  test("is told with the system's code", async () => {
    const folder = await ownFolder();
    const run = (program: string, output: string, cwd = folder) => startInBackground(program, [], { cwd, output: join(folder, output) });
    await expect(run("no-such-program-of-ours", "a")).rejects.toMatchObject({ code: "ENOENT" });
    await writeFile(join(folder, "text"), "", { mode: 0o600 });
    await expect(run(join(folder, "text"), "b")).rejects.toMatchObject({ code: "EACCES" });
    await expect(run("sh", "c", join(folder, "none"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("is not run where its words would go into a file that is there already, or a link", async () => {
    const folder = await ownFolder();
    const victim = join(folder, "victim");
    await writeFile(victim, "theirs");
    await symlink(victim, join(folder, "link"));
    await symlink(join(folder, "nothing"), join(folder, "dangling"));
    await mkdir(join(folder, "folder"));
    for (const name of ["victim", "link", "dangling", "folder"])
      await expect(startInBackground("touch", [join(folder, "ran")], { cwd: folder, output: join(folder, name) })).rejects.toMatchObject({
        code: "EEXIST",
      });
    await expect(stat(join(folder, "ran"))).rejects.toThrow("ENOENT");
    expect(await readFile(victim, "utf8")).toBe("theirs");
  });
});
