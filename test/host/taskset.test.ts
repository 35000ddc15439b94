import { describe, expect, test } from "vitest";
import { HostError } from "../../src/errors.ts";
import { formatCpuList } from "../../src/host/cpulist.ts";
import { onlineCpus, presentCpus, readAffinity, setAffinity } from "../../src/host/taskset.ts";
import { processOf, threadsOf } from "../../src/host/threads.ts";
import { runModule, runProgram } from "./processes.ts";

const NOBODY = 2 ** 22 + 1;

describe("affinity", () => {
  test("of one thread is set and read back, and the others keep theirs", async () => {
    const node = await runModule("console.log('up'); process.stdin.resume()");
    const [first, second] = await threadsOf(node.pid);
    const before = await readAffinity(node.pid);
    const last = new Set([...before].slice(-1));
    expect(await setAffinity(second?.tid ?? NOBODY, last)).toEqual(last);
    expect(await readAffinity(second?.tid ?? NOBODY)).toEqual(last);
    expect(await readAffinity(first?.tid ?? NOBODY)).toEqual(before);
  });

  test("shows what the kernel made of it: CPUs that the machine has not are left out", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const [cpu = 0] = await onlineCpus();
    expect(await setAffinity(cat.pid, new Set([cpu, 8191]))).toEqual(new Set([cpu]));
  });

  test("that is impossible fails with taskset's own words, and stays", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const before = await readAffinity(cat.pid);
    const error = await setAffinity(cat.pid, new Set([8191])).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HostError);
    expect(error).toMatchObject({ code: "host", command: ["taskset", "-pc", "8191", String(cat.pid)] });
    expect((error as HostError).message).toBe(`taskset -pc 8191 ${cat.pid}: failed to set pid ${cat.pid}'s affinity: Invalid argument`);
    expect(formatCpuList(await readAffinity(cat.pid))).toBe(formatCpuList(before));
  });

  test("of a thread that is gone is a host error that names it", async () => {
    expect(await processOf(NOBODY)).toBeUndefined();
    await expect(readAffinity(NOBODY)).rejects.toThrow(`thread ${NOBODY}: it is gone`);
    await expect(setAffinity(NOBODY, new Set([0]))).rejects.toThrow(/No such process$/);
  });

  test("an abort rejects with its own reason", async () => {
    const reason = new Error("no longer wanted");
    await expect(setAffinity(process.pid, await onlineCpus(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});

describe("the machine's CPUs", () => {
  test("those that run are among those that are there", async () => {
    const [online, present] = [await onlineCpus(), await presentCpus()];
    expect(online.size).toBeGreaterThan(0);
    for (const cpu of online) expect(present.has(cpu)).toBe(true);
  });
});
