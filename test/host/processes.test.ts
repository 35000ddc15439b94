import { readdirSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { userInfo } from "node:os";
import { describe, expect, test } from "vitest";
import { bootId, findProcesses, folderOfProcess, processAt, programOf } from "../../src/host/processes.ts";
import { startTime } from "../../src/host/threads.ts";
import { ownFolder } from "../config/folder.ts";
import { runProgram, runStandIn } from "./processes.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

describe("a process", () => {
  test("is shown with its parent, its user, its start and its words", async () => {
    const child = await runStandIn(["qemu-system-x86_64", "-name", "a b", "", "ä\n"]);
    expect(await processAt(child.pid)).toEqual({
      pid: child.pid,
      started: await startTime(child.pid),
      parent: process.pid,
      uid: userInfo().uid,
      argv: ["qemu-system-x86_64", "-e", "console.log('up'); process.stdin.resume()", "stand-in.img", "-name", "a b", "", "ä\n"],
    });
  });

  test("that ended is not there, nor one that its parent has not heard of yet, nor the kernel's own", async () => {
    const child = await runProgram("sh", "-c", "echo up; exec cat");
    await child.kill();
    expect(await processAt(child.pid)).toBeUndefined();
    // The shell becomes a cat, which never waits for the child that it doesn't know of.
    const parent = await runProgram("sh", "-c", "tail -f /dev/null & echo $!; exec cat");
    const zombie = Number(parent.said);
    await expect.poll(async () => (await processAt(parent.pid))?.argv[0]).toBe("cat");
    process.kill(zombie, "SIGKILL");
    await expect.poll(() => processAt(zombie)).toBeUndefined();
    expect(await startTime(zombie)).toBeGreaterThan(0);
    expect(await processAt(NOBODY)).toBeUndefined();
    for (const pid of readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number)) {
      const found = await processAt(pid);
      if (found !== undefined) expect([pid, found.argv.join("")]).not.toEqual([pid, ""]);
    }
  });

  test("that a QEMU leaves to give its memory back is no machine, whatever its words are", async () => {
    const named = (name: string) => runProgram("sh", "-c", `printf ${name} > /proc/$$/comm; echo up; read line`, "qemu-system-x86_64");
    const helper = await named("cleanup/4711");
    const other = await named("cleanup/x");
    expect(await processAt(helper.pid)).toBeUndefined();
    expect(await processAt(other.pid)).toMatchObject({ pid: other.pid });
    const found = await findProcesses((text) => text.includes("qemu-system-x86_64"));
    expect(found.map(({ pid }) => pid).filter((pid) => [helper.pid, other.pid].includes(pid))).toEqual([other.pid]);
  });

  test.runIf(userInfo().uid === 0)("has the user that it runs as, not the one who started it", async () => {
    const child = await runStandIn(["qemu"], { uid: 1234 });
    expect(await processAt(child.pid)).toMatchObject({ uid: 1234 });
  });

  test("is known by its program and the folder that it works in", async () => {
    const cwd = await ownFolder();
    const child = await runStandIn(["something-else"], { cwd });
    expect(await programOf(child.pid)).toBe(await realpath(process.execPath));
    expect(await folderOfProcess(child.pid)).toBe(cwd);
    expect([await programOf(NOBODY), await folderOfProcess(NOBODY)]).toEqual([undefined, undefined]);
  });
});

describe("the processes of this host", () => {
  test("are those whose command line is wanted, by ascending id", async () => {
    const word = `of-${process.pid}-${Date.now()}`;
    const pids = [await runStandIn(["one", word]), await runStandIn(["two", word]), await runStandIn(["three"])].map(({ pid }) => pid);
    const found = await findProcesses((text) => text.includes(`\0${word}`));
    expect(found.map(({ pid, argv }) => [pid, argv[0]])).toEqual(
      [
        [pids[0], "one"],
        [pids[1], "two"],
      ].sort(([a], [b]) => Number(a) - Number(b)),
    );
    expect(await findProcesses(() => false)).toEqual([]);
    expect((await findProcesses(() => true)).map(({ pid }) => pid)).toEqual(expect.arrayContaining([process.pid, ...pids]));
  });
});

test("this run of the host has an id", () => {
  expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(bootId()).toBe(bootId());
});
