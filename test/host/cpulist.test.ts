import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/errors.ts";
import { formatCpuList, parseCpuList } from "../../src/host/cpulist.ts";

describe("parseCpuList", () => {
  test.each([
    ["0", [0]],
    ["0-3,8", [0, 1, 2, 3, 8]],
    ["8,0-1\n", [0, 1, 8]],
    ["0-7,^2", [0, 1, 3, 4, 5, 6, 7]],
    ["^2,0-3", [0, 1, 3]],
    ["0-7,^2-6", [0, 1, 7]],
    ["1,1,1-1", [1]],
    ["8191", [8191]],
    ["007", [7]],
  ])("reads %j", (text, cpus) => {
    expect([...parseCpuList(text)]).toEqual(cpus);
  });

  test.each([
    ["", "an item is empty"],
    [",", "an item is empty"],
    ["1,", "an item is empty"],
    ["9-1", "the range 9-1 runs backwards"],
    ["^0", "no CPU is left in it"],
    ["1,^1", "no CPU is left in it"],
    ["0-99999999999", "CPU 99999999999 is above 8191"],
    ["8192", "CPU 8192 is above 8191"],
    ["-1", '"-1" is neither a number nor a range'],
    ["0-", '"0-" is neither a number nor a range'],
    ["0 1", '"0 1" is neither a number nor a range'],
    ["0x1", '"0x1" is neither a number nor a range'],
    ["1.5", '"1.5" is neither a number nor a range'],
    ["0-7:2", '"0-7:2" is neither a number nor a range'],
    ["all", '"all" is neither a number nor a range'],
    [";reboot", '";reboot" is neither a number nor a range'],
  ])("refuses %j", (text, why) => {
    expect(() => parseCpuList(text)).toThrow(UsageError);
    expect(() => parseCpuList(text)).toThrow(`CPU list ${JSON.stringify(text)}: ${why}`);
  });

  test("is bounded, however long the text", () => {
    const text = Array.from({ length: 20_000 }, () => "0-8191").join(",");
    const before = process.memoryUsage().heapUsed;
    expect(() => parseCpuList(text)).toThrow("CPU list");
    expect(() => parseCpuList(text)).toThrow(/too long$/);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50 * 1024 ** 2);
  });
});

describe("formatCpuList", () => {
  test("writes the shortest ascending list", () => {
    expect(formatCpuList(new Set([8, 3, 1, 0, 2, 10, 11]))).toBe("0-3,8,10-11");
    expect(formatCpuList(new Set())).toBe("");
  });

  test("gives back every set of eight CPUs", () => {
    for (let mask = 1; mask < 256; mask++) {
      const cpus = [0, 1, 2, 3, 4, 5, 6, 7].filter((cpu) => (mask & (1 << cpu)) !== 0);
      expect([...parseCpuList(formatCpuList(new Set(cpus)))]).toEqual(cpus);
    }
  });

  test("writes what the kernel writes", () => {
    const kernels = /^Cpus_allowed_list:\s*(\S+)$/m.exec(execFileSync("cat", ["/proc/self/status"]).toString())?.[1] ?? "";
    expect(formatCpuList(parseCpuList(kernels))).toBe(kernels);
  });
});
