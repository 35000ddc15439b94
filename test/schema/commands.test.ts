import { expect, test } from "vitest";
import { replyCheck } from "../../src/schema/commands.ts";
import { eventCheck } from "../../src/schema/events.ts";

test.each<[string, unknown]>([
  ["query-status", { running: true, status: "running", singlestep: false }],
  [
    "query-cpus-fast",
    [{ "cpu-index": 0, "qom-path": "/machine/unattached/device[0]", "thread-id": 12, target: "x86_64", "qom-type": "max-x86_64-cpu" }],
  ],
  ["query-hotpluggable-cpus", [{ type: "max-x86_64-cpu", "vcpus-count": 1, props: { "core-id": 1 } }]],
  ["query-balloon", { actual: 536870912 }],
  ["balloon", {}],
  ["query-migrate", {}],
  ["query-name", {}],
  ["human-monitor-command", "unknown command: 'nosuch'\r\n"],
  ["qom-get", 2n ** 64n - 1n],
])("the check of %s takes what QEMU says", (command, reply) => {
  expect(replyCheck(command)).toBeDefined();
  expect(replyCheck(command)?.(reply)).toBeUndefined();
});

test.each<[string, unknown, string]>([
  ["query-cpus-fast", [{ "cpu-index": 0, "qom-path": "/", target: "x86_64" }], "0.thread-id: expected number, received undefined"],
  ["query-balloon", { actual: "512M" }, "actual: expected number, received string"],
  ["stop", null, "expected object, received null"],
  ["query-qmp-schema", {}, "expected array, received object"],
])("the check of %s says what is wrong", (command, reply, why) => {
  expect(replyCheck(command)?.(reply)?.why).toBe(why);
});

test("a command or an event that is not listed has no check, whatever its name", () => {
  for (const name of ["x-nosuch", "constructor", "__proto__", ""]) {
    expect(replyCheck(name)).toBeUndefined();
    expect(eventCheck(name)).toBeUndefined();
  }
  expect(eventCheck("STOP")).toBeUndefined();
});

test("a long list is checked up to its first mistake, which is reported with its position", () => {
  const right = { "cpu-index": 0, "qom-path": "/", "thread-id": 1, target: "x86_64" };
  const list = (first: unknown): readonly unknown[] => [
    ...Array.from({ length: 2500 }, () => right),
    first,
    ...Array.from({ length: 300_000 }, () => 1),
  ];
  const before = performance.now();
  expect(replyCheck("query-cpus-fast")?.(list({ ...right, target: 7 }))?.why).toBe("2500.target: expected string, received number");
  expect(replyCheck("query-cpus-fast")?.(list({ ...right, target: 7 }))?.cause).toMatchObject({ issues: { length: 500 } });
  expect(performance.now() - before).toBeLessThan(1000);
});
