import { getuid } from "node:process";
import { expect, test } from "vitest";
import { mappedBy, memoryOf, type ProcessMemory } from "../../src/host/process-memory.ts";
import { residentOf } from "../../src/host/resident.ts";
import { threadsOf } from "../../src/host/threads.ts";
import { runModule, runProgram } from "./processes.ts";

const MIB = 2 ** 20;
const SIZE = 64 * MIB;
/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

/** A process that has so much memory, and has written to all of it or to none. */
const holder = (touched: boolean) =>
  runModule(`const held = Buffer.${touched ? `alloc(${SIZE}, 1)` : `allocUnsafeSlow(${SIZE})`};
    console.log(held.length); process.stdin.resume(); process.on("exit", () => held)`);

async function figures(pid: number): Promise<ProcessMemory> {
  const memory = await memoryOf(pid, pid);
  if (memory === null || !("resident" in memory)) throw new Error(`nothing is known of ${pid}: ${JSON.stringify(memory)}`);
  return memory;
}

test("what a process wrote to is in RAM, what it only reserved is not, and both ways to ask agree", async () => {
  const [used, reserved] = await Promise.all([holder(true), holder(false)]);
  const [full, empty] = [await figures(used.pid), await figures(reserved.pid)];
  expect(full.resident - empty.resident).toBeGreaterThan(SIZE - 16 * MIB);
  expect(full.resident - empty.resident).toBeLessThan(SIZE + 16 * MIB);
  expect(full).toMatchObject({ huge: 0, locked: 0, pinned: 0 });
  expect(full.share).toBeGreaterThan(SIZE);
  expect(full.share).toBeLessThanOrEqual(full.resident);
  expect(Math.abs((residentOf(used.pid, used.pid) ?? 0) - full.resident)).toBeLessThan(16 * MIB);
});

test("it is asked by one of its threads, and a thread of another process says nothing of it", async () => {
  const [one, other] = await Promise.all([holder(true), holder(false)]);
  const [, thread] = await threadsOf(one.pid);
  const tid = thread?.tid ?? 0;
  expect(tid).not.toBe(one.pid);
  expect(await memoryOf(one.pid, tid)).toMatchObject({ resident: expect.any(Number) });
  expect(residentOf(one.pid, tid)).toBeGreaterThan(SIZE);
  expect([await memoryOf(other.pid, tid), residentOf(other.pid, tid)]).toEqual([null, null]);
});

test("of nobody, and of a process that has ended and was not waited for, nothing is known", async () => {
  expect([await memoryOf(NOBODY, NOBODY), residentOf(NOBODY, NOBODY)]).toEqual([null, null]);
  const parent = await runProgram("sh", "-c", "sh -c 'exit 0' & echo $!; exec tail -f /dev/null");
  const zombie = Number(parent.said);
  while (residentOf(zombie, zombie) !== null) await new Promise(setImmediate);
  expect(await memoryOf(zombie, zombie)).toBeNull();
});

test("another user's process shows what all may see, and why there is no more", async () => {
  const root = getuid?.() === 0;
  const pid = root ? (await holder(true)).pid : 1;
  const source = new URL("../../src/host/process-memory.ts", import.meta.url).pathname;
  const { said } = await runModule(`import { memoryOf } from ${JSON.stringify(source)};
    ${root ? "process.setgroups([]), process.setgid(1234), process.setuid(1234);" : ""}
    console.log(JSON.stringify(await memoryOf(${pid}, ${pid})))`);
  expect(JSON.parse(said)).toEqual({
    ...{ resident: expect.any(Number), swapped: expect.any(Number), huge: 0, locked: 0, pinned: 0, share: null, transparentHuge: null },
    denied: `the kernel does not show /proc/${pid}/smaps_rollup to this user (EACCES)`,
  });
});

test("what a process has mapped counts what it only reserved, and nobody has nothing", async () => {
  const reserved = await holder(false);
  expect(await mappedBy(reserved.pid)).toBeGreaterThan(SIZE);
  expect(await mappedBy(NOBODY)).toBeNull();
});
