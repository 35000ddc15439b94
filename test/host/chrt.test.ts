import { describe, expect, test } from "vitest";
import { HostError } from "../../src/errors.ts";
import { chrtArguments, readPolicy, schedulingRights, setPolicy } from "../../src/host/chrt.ts";
import { runModule, runProgram } from "./processes.ts";

const NODE = "console.log('up'); process.stdin.resume()";

describe("chrt", () => {
  test("sets the policy of one thread, and /proc shows it", async () => {
    const node = await runModule(NODE);
    expect(readPolicy(node.pid)).toBe("other");
    for (const policy of ["batch", "idle", "other"]) expect(await setPolicy(node.pid, policy)).toBe(policy);
  });

  test("reads what chrt itself says, of each policy", async () => {
    for (const [flag, policy] of [
      ["--batch", "batch"],
      ["--idle", "idle"],
    ] as const) {
      const cat = await runProgram("sh", "-c", `echo up; exec chrt ${flag} 0 cat`);
      // The shell becomes chrt, which becomes cat.
      while (readPolicy(cat.pid) === "other") await new Promise(setImmediate);
      expect(readPolicy(cat.pid)).toBe(policy);
    }
  });

  test("names a thread that is gone, in its own words", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    await cat.kill();
    expect(() => readPolicy(cat.pid)).toThrow(HostError);
    await expect(setPolicy(cat.pid, "batch")).rejects.toThrow(/^chrt --batch --pid 0 \d+: .*No such process/);
  });

  test("is run with the priority, and knows what we may give", () => {
    expect(chrtArguments(7, "fifo:3")).toEqual(["--fifo", "--pid", "3", "7"]);
    const { highest, leavesIdle } = schedulingRights(process.pid);
    expect([highest, leavesIdle]).toEqual(process.getuid?.() === 0 ? [99, true] : [expect.any(Number), expect.any(Boolean)]);
  });
});
