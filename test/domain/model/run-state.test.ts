import { expect, test } from "vitest";
import { factsOf, liveOf, MIB, planOf, reasonsOf } from "../../../scripts/lab/facts.ts";
import { domainStateOf, isThere, remarkOn, runStateOf, whenLetGo } from "../../../src/domain/model/run-state.ts";

/** QEMU's qapi/run-state.json, RunState, from 5.2 to 11.1. */
const QEMUS = [
  "debug",
  "inmigrate",
  "internal-error",
  "io-error",
  "paused",
  "postmigrate",
  "prelaunch",
  "finish-migrate",
  "restore-vm",
  "running",
  "save-vm",
  "shutdown",
  "suspended",
  "watchdog",
  "guest-panicked",
  "colo",
  "preconfig",
];

test.each(QEMUS)("%s is known, and told by its own name", (status) => {
  expect(runStateOf(status).is).not.toContain("does not know");
  expect(domainStateOf(status)).toBe(status === "prelaunch" ? "paused" : status);
  expect(isThere(domainStateOf(status))).toBe(true);
  const remark = remarkOn(status, "web1");
  expect(remark === null).toBe(["running", "paused", "prelaunch"].includes(status));
  if (remark !== null) expect(remark).toMatch(/^the guest [a-z].*; .+/);
});

test.each(["constructor", "sleeping-beauty"])("a state of a newer QEMU (%s) is a pause, told by its name", (status) => {
  expect([domainStateOf(status), runStateOf(status).resumes]).toEqual(["paused", "cont"]);
  expect(remarkOn(status, "web1")).toContain(`(${status})`);
});

const GONE = [
  "shutdown",
  "guest-panicked",
  "internal-error",
  "postmigrate",
  "inmigrate",
  "finish-migrate",
  "save-vm",
  "restore-vm",
  "colo",
  "preconfig",
];

test.each(QEMUS)("what takes the guest is planned in %s where it will do it later, else refused with what leads on", (status) => {
  const facts = factsOf({ state: domainStateOf(status), live: liveOf({ status, running: status === "running" }) });
  const reasons = [{ resource: "memory", size: 2048 * MIB } as const, { resource: "vcpus", count: 3 } as const].map((change) =>
    reasonsOf(planOf(change, "dynamic", facts)),
  );
  const expected = GONE.includes(status) ? [[`dynamic: the guest ${runStateOf(status).is}, so nothing can be changed with it`]] : [[]];
  expect(reasons).toEqual([...expected, ...expected]);
  // A thread can be bound whatever the guest does.
  expect(planOf({ resource: "vcpu-pin", vcpu: 0, cpus: "0" }, "dynamic", facts).refusals).toEqual([]);
});

test("a paused guest lets go later; of one that has not started that is not promised", () => {
  expect(whenLetGo("paused")).toBe("the guest is paused, and lets go of it when it runs again");
  expect(whenLetGo("prelaunch")).toMatch(/may never hear of it/);
});
