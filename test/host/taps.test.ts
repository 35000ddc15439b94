import { expect, test } from "vitest";
import { schedStatOf } from "../../src/host/schedstat.ts";
import { countersIn, tapsOf } from "../../src/host/taps.ts";
import { processTimeOf } from "../../src/host/thread-usage.ts";

const NET_DEV = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1132168   10594    0    0    0     0          0         0  1132168   10594    0    0    0     0       0          0
 tap0:     100       1    0    0    0     0          0         0     2000      20    0    3    0     0       0          0
vnet10:9007199254740991 5    0    0    0     0          0         0        7       6    0    0    0     0       0          0
`;

test("what the host received at a tap, its guest sent", () => {
  expect(countersIn(NET_DEV)).toMatchObject([
    { interface: "lo" },
    { interface: "tap0", sentBytes: 100, sentPackets: 1, receivedBytes: 2000, receivedPackets: 20, receivedDropped: 3 },
    { interface: "vnet10", sentBytes: 9007199254740991, receivedBytes: 7, receivedDropped: 0 },
  ]);
  expect(countersIn("")).toEqual([]);
});

test("a process without a tap has none, and one that is gone neither", async () => {
  expect(await tapsOf(process.pid)).toEqual([]);
  expect(await tapsOf(2 ** 22 + 1)).toEqual([]);
});

test("the scheduler counts what a thread ran and waited, where the kernel does", () => {
  const own = schedStatOf(process.pid);
  if (own !== null) expect(own.ran).toBeGreaterThan(0);
  expect(schedStatOf(2 ** 22 + 1)).toBeNull();
  expect(processTimeOf(process.pid)).toBeGreaterThan(0);
  expect(processTimeOf(2 ** 22 + 1)).toBeUndefined();
});
