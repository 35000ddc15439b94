import { describe, expect, test } from "vitest";
import { uptimeOf } from "../../src/host/uptime.ts";
import { runProgram } from "./processes.ts";

/** Above the highest id that Linux gives: no process has it. */
const NOBODY = 2 ** 22 + 1;

describe("a process's uptime", () => {
  test("grows, is less than that of an older process, and is 0 when the process has ended", async () => {
    const cat = await runProgram("sh", "-c", "echo up; exec cat");
    const first = await uptimeOf(cat.pid);
    expect(first).toBeLessThan(await uptimeOf(process.pid));
    expect(await uptimeOf(cat.pid)).toBeGreaterThanOrEqual(first);
    expect(await uptimeOf(NOBODY)).toBe(0);
  });
});
