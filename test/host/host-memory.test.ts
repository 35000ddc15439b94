import { expect, test } from "vitest";
import { memoryIn, memoryOfHost } from "../../src/host/host-memory.ts";

const meminfo = "MemTotal:       24684092 kB\nMemFree:        21782440 kB\nMemAvailable:   23714728 kB\n";
const pressure = "some avg10=1.53 avg60=0.10 avg300=0.00 total=12\nfull avg10=0.75 avg60=0.00 avg300=0.00 total=7\n";

test("the memory of this host", () => {
  const memory = memoryOfHost();
  expect(memory?.available).toBeGreaterThan(0);
  expect(memory?.total).toBeGreaterThan(memory?.available ?? Infinity);
});

test("what the kernel tells, and null for what an older one does not", () => {
  expect(memoryIn({ meminfo, pressure, vmstat: "pswpin 12\npswpout 5\n" })).toEqual({
    total: 24684092 * 1024,
    available: 23714728 * 1024,
    pressure: { some: 1.53, full: 0.75 },
    pagesSwappedIn: 12,
  });
  expect(memoryIn({ meminfo, pressure: "", vmstat: "" })).toMatchObject({ pressure: null, pagesSwappedIn: null });
  expect(memoryIn({ meminfo: "MemTotal: 7 kB\n", pressure, vmstat: "" })).toBeNull();
});
