import { pid as ownPid } from "node:process";
import { describe, expect, test } from "vitest";
import { liveOf, vcpuOf } from "../../../scripts/lab/facts.ts";
import { deadlineIn } from "../../../src/deadline.ts";
import type { Monitor } from "../../../src/domain/machine/monitor.ts";
import { pinning } from "../../../src/domain/resources/pinning.ts";
import type { PinStep, Work } from "../../../src/domain/resources/step.ts";
import { formatCpuList } from "../../../src/host/cpulist.ts";
import { onlineCpus, readAffinity, setAffinity } from "../../../src/host/taskset.ts";
import { type OwnProcess, runProgram } from "../../host/processes.ts";

/** A machine with one vCPU, 0, on this thread of this process. */
function workOn(tid: number, pid: number): Work {
  const cpus = [{ "cpu-index": 0, "qom-path": "/cpu", "thread-id": tid, target: "x86_64" }];
  const monitor = { pid, ask: (question: (session: object) => unknown) => question({ execute: async () => cpus }) } as unknown as Monitor;
  return { monitor, live: liveOf(), readers: [], deadline: deadlineIn(5000), signal: undefined, onProgress: undefined };
}

function stepOf(changes: Partial<PinStep>): PinStep {
  return { kind: "pin", vcpu: 0, cpus: "0", before: null, allowSubset: false, ...changes };
}

async function machine(): Promise<{
  readonly process: OwnProcess;
  readonly work: Work;
  readonly first: number;
  readonly mask: () => Promise<string>;
}> {
  const process = await runProgram("sh", "-c", "echo up; exec cat");
  const [first = 0] = await onlineCpus();
  return { process, work: workOn(process.pid, process.pid), first, mask: async () => formatCpuList(await readAffinity(process.pid)) };
}

describe("pinning a vCPU", () => {
  test("binds its thread", async () => {
    const { work, first, mask } = await machine();
    await pinning.begin(stepOf({ cpus: String(first) }), work);
    expect(await mask()).toBe(String(first));
  });

  test("to all gives it every CPU that is on", async () => {
    const { process, work, first, mask } = await machine();
    const all = await mask();
    await setAffinity(process.pid, new Set([first]));
    await pinning.begin(stepOf({ cpus: "all", allowSubset: true }), work);
    expect(await mask()).toBe(all);
  });

  test("P20: fails where the kernel gives less than was asked for, with both masks", async () => {
    const { work, first } = await machine();
    await expect(pinning.begin(stepOf({ cpus: `${first},8191` }), work)).rejects.toMatchObject({
      code: "host",
      message: expect.stringContaining(`vCPU 0: asked for CPUs ${first},8191, the kernel gives ${first}`) as string,
    });
  });

  test("P20: never touches a thread of another process: ids are reused", async () => {
    const { process, first, mask } = await machine();
    const before = await mask();
    await expect(pinning.begin(stepOf({ cpus: String(first) }), workOn(process.pid, ownPid))).rejects.toThrow(
      `vCPU 0: thread ${process.pid} belongs to process ${process.pid}, not to QEMU's ${ownPid}`,
    );
    expect(await mask()).toBe(before);
  });

  test("fails for a vCPU or a thread that has left meanwhile", async () => {
    const { work, process, first } = await machine();
    await expect(pinning.begin(stepOf({ vcpu: 7 }), work)).rejects.toThrow("vCPU 7: it is not plugged any more");
    await process.kill();
    await expect(pinning.begin(stepOf({ cpus: String(first) }), work)).rejects.toThrow("belongs to process none");
  });
});

describe("the way back", () => {
  const step = stepOf({ cpus: "0", before: "0-3" });

  test("is the mask before, for a thread that is still there", () => {
    expect(pinning.inverse(step, liveOf({ vcpus: [vcpuOf(0, "0")] }), liveOf())).toEqual([
      { kind: "pin", vcpu: 0, cpus: "0-3", before: null, allowSubset: false },
    ]);
    expect(pinning.inverse(step, liveOf({ vcpus: [] }), liveOf())).toEqual([]);
  });

  test("is nothing for a thread that the same change has brought to life", () => {
    expect(pinning.inverse(stepOf({ before: null }), liveOf(), liveOf())).toEqual([]);
  });
});
