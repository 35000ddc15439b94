import { describe, expect, test } from "vitest";
import { onlineCpus } from "../../src/host/taskset.ts";
import { usageOf } from "../../src/host/thread-usage.ts";
import { threadsOf } from "../../src/host/threads.ts";
import { runModule, runProgram } from "./processes.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

describe("what a thread has used", () => {
  test("is the time that it ran", async () => {
    // `times` is the shell's own count, in minutes and seconds, of user and system time.
    const shell = await runProgram("sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; times; exec cat");
    const [user = 0, system = 0] = shell.said
      .split(" ")
      .map((text) => Number(/(\d+)m/.exec(text)?.[1]) * 60 + Number(/m([\d.]+)s/.exec(text)?.[1]));
    const usage = await usageOf(shell.pid);
    expect(usage?.cpuTime).toBeGreaterThan(0);
    expect(usage?.cpuTime).toBeGreaterThanOrEqual((user + system) * 1000 - 20);
  });

  test("is the thread's own, and not that of its process", async () => {
    const node = await runModule("while (performance.now() < 300); console.log('up'); process.stdin.resume()");
    const [main, , third] = await threadsOf(node.pid);
    const [busy, idle] = [await usageOf(main?.tid ?? 0), await usageOf(third?.tid ?? 0)];
    expect(busy?.cpuTime).toBeGreaterThan(0);
    expect(idle?.cpuTime).toBeLessThan(busy?.cpuTime ?? 0);
  });

  test("comes with the CPU that it last ran on", async () => {
    const [cpu = 0] = [...(await onlineCpus())].slice(-1);
    // Bound before it begins: one that sleeps stays where it last ran.
    const shell = await runProgram("taskset", "-c", String(cpu), "sh", "-c", "echo up; exec cat");
    expect((await usageOf(shell.pid))?.cpu).toBe(cpu);
  });

  test("comes with its name, brackets and blanks and all", async () => {
    const odd = await runProgram("sh", "-c", "printf 'CPU 0) R 1 (' > /proc/$$/comm; echo up; read line");
    expect(await usageOf(odd.pid)).toMatchObject({ name: "CPU 0) R 1 (", cpu: expect.any(Number) as number });
  });

  test("is unknown when the process has ended", async () => {
    expect(await usageOf(NOBODY)).toBeUndefined();
  });
});
