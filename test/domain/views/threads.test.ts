import { expect, test } from "vitest";
import { openFake } from "../../../scripts/faults/fake-rig.ts";
import type { ThreadRole } from "../../../src/domain/views/threads.ts";
import { threadsOf } from "../../../src/host/threads.ts";

test("every thread of a machine: what it is, what it has, and what the config says for it", async () => {
  await using rig = await openFake();
  const { domain, qemu } = rig;
  const set = [
    { resource: "emulator-pin", cpus: "0" },
    { resource: "iothread-pin", iothread: "io0", cpus: "1" },
    { resource: "iothread-sched", iothread: "io0", policy: "batch" },
    { resource: "vhost-pin", cpus: "1" },
  ] as const;
  await domain.change([...set, { resource: "vcpu-sched", vcpu: 0, policy: "idle" }], { scope: "both" });
  const threads = await domain.threads();
  expect(threads.map(({ tid, name }) => ({ tid, name }))).toEqual(await threadsOf(rig.pid));
  const those = (wanted: ThreadRole) => threads.filter(({ role }) => role === wanted);
  expect(those("main")).toMatchObject([{ tid: rig.pid, of: null, affinity: "0", policy: "other", pin: "0", sched: null }]);
  expect(those("vcpu")).toMatchObject([{ of: 0, policy: "idle", pin: null, sched: "idle" }]);
  expect(those("iothread")).toMatchObject([
    { tid: qemu.iothreads.tids.get("io0"), of: "io0", affinity: "1", policy: "batch", pin: "1", sched: "batch" },
  ]);
  expect(those("vhost")).toMatchObject([{ name: `vhost-${rig.pid}`, of: null, affinity: "1", pin: "1" }]);
  expect(those("worker").every(({ affinity, pin }) => affinity === "0" && pin === "0")).toBe(true);
  for (const { cpu, cpuTime } of threads) expect([typeof cpu, typeof cpuTime]).toEqual(["number", "number"]);
  // Each has its own time: the sum of the process is no thread's.
  expect(new Set(threads.map(({ cpuTime }) => cpuTime)).size).toBeGreaterThan(1);

  await rig.killQemu();
  expect(await domain.threads()).toEqual([]);
});
