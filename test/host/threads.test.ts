import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { commandLineOf, commandOf, isAlive, processOf, startTime, threadsOf } from "../../src/host/threads.ts";
import { runModule, runProgram } from "./processes.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

describe("threads", () => {
  test("belong to their process, and so does its first one", async () => {
    const node = await runModule("console.log('up'); process.stdin.resume()");
    const threads = await threadsOf(node.pid);
    expect(threads.length).toBeGreaterThan(2);
    expect(threads[0]).toEqual({ tid: node.pid, name: expect.any(String) });
    for (const { tid } of threads) expect(await processOf(tid)).toBe(node.pid);
  });

  test("of nobody are none", async () => {
    expect(await processOf(NOBODY)).toBeUndefined();
    expect(await threadsOf(NOBODY)).toEqual([]);
  });
});

describe("a process", () => {
  test("lives until it is killed", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    expect(await isAlive(cat.pid)).toBe(true);
    await cat.kill();
    expect(await isAlive(cat.pid)).toBe(false);
    expect(await startTime(cat.pid)).toBeUndefined();
    expect(await commandLineOf(cat.pid)).toBeUndefined();
  });

  test("that has ended and was not waited for is not alive", async () => {
    // The shell becomes a cat, which never waits for the child that it doesn't know of.
    const parent = await runProgram("sh", "-c", "tail -f /dev/null & echo $!; exec cat");
    const zombie = Number(parent.said);
    while ((await commandLineOf(parent.pid))?.[0] !== "cat") await new Promise(setImmediate);
    process.kill(zombie, "SIGKILL");
    while (!(await readFile(`/proc/${zombie}/stat`, "utf8")).includes(") Z ")) await new Promise(setImmediate);
    expect(await processOf(zombie)).toBe(zombie);
    expect(await isAlive(zombie)).toBe(false);
  });

  test("whose first thread has ended but not its others is alive: its files are still open", async () => {
    // Source: exit(2) ends one thread, exit_group(2) all; glibc's pthread_exit is the former.
    const lasting = await runProgram(
      "perl",
      "-Mthreads",
      "-e",
      '$| = 1; threads->create(sub { print "up\n"; <STDIN> })->detach; require "syscall.ph"; syscall(&SYS_exit, 0)',
    );
    while (!(await readFile(`/proc/${lasting.pid}/stat`, "utf8")).includes(") Z ")) await new Promise(setImmediate);
    expect(await isAlive(lasting.pid)).toBe(true);
    await lasting.kill();
    expect(await isAlive(lasting.pid)).toBe(false);
  });

  test("has a start time that stays, and that a later one doesn't share with its pid", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const first = await startTime(cat.pid);
    expect(first).toBeGreaterThan(0);
    expect(await startTime(cat.pid)).toBe(first);
    expect(first).toBeGreaterThanOrEqual((await startTime(process.pid)) ?? Infinity);
  });

  test("shows its words, empty ones and blanks and all", async () => {
    const words = ["-c", "echo up; cat; exit", "a b", "", "ü\n"];
    const shell = await runProgram("sh", ...words);
    expect(await commandLineOf(shell.pid)).toEqual(["sh", ...words]);
  });

  test("is shown to people without the folders of its program and script", async () => {
    const node = await runProgram(process.execPath, "-e", "console.log('up'); process.stdin.resume()", "/a/b");
    expect(await commandOf(node.pid)).toBe(`node -e console.log('up'); process.stdin.resume() /a/b`);
  });

  test("with brackets and blanks in its name is read right", async () => {
    const odd = await runProgram("sh", "-c", "printf 'x) Z 1 (' > /proc/$$/comm; echo up; read line");
    expect(await isAlive(odd.pid)).toBe(true);
    expect((await threadsOf(odd.pid))[0]?.name).toBe("x) Z 1 (");
  });

  test("that was reaped is gone", async () => {
    const child = spawn("true");
    await once(child, "close");
    expect(await isAlive(child.pid ?? NOBODY)).toBe(false);
  });
});
