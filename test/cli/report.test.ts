import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-code.ts";
import { noteLine } from "../../src/cli/output.ts";
import { showReport, showValue } from "../../src/cli/report.ts";
import type { Leg } from "../../src/domain/model/change.ts";
import { ioOf, reportOf } from "./scene.ts";

const show = (changed: Parameters<typeof reportOf>[0], columns?: number) =>
  showReport(reportOf(changed), ioOf(columns === undefined ? {} : { columns, env: { NO_COLOR: "1" } }));

const leg = (outcome: Leg["outcome"], values: Partial<Leg>): Leg => ({ outcome, before: 2, wanted: 1, actual: 2, ...values });

test("both halves done", () => {
  expect(show({})).toBe(
    [
      "resource  half     before -> wanted  actual  outcome",
      "memory    static   1GiB -> 300MiB    300MiB  applied",
      "memory    dynamic  1GiB -> 300MiB    300MiB  applied",
      "",
    ].join("\n"),
  );
});

test("why, notes, and the commands that finish it or take it back", () => {
  const changes = [
    {
      change: { resource: "vcpus", count: 1 } as const,
      static: leg("skipped", { wanted: null, reason: "not in this scope" }),
      dynamic: leg("pending", { reason: "the guest has not let go of vCPU 1" }),
    },
  ];
  expect(
    show({
      outcome: "pending",
      changes,
      notes: ["a static change waits for the next start"],
      finish: "qmpctl setvcpus web1 1 --live",
      takeBack: "qmpctl setvcpus web1 2 --live",
    }),
  ).toBe(
    [
      "resource  half     before -> wanted  actual  outcome  why",
      "vcpus     static   2                 2       skipped  not in this scope",
      "vcpus     dynamic  2 -> 1            2       pending  the guest has not let go of vCPU 1",
      "",
      "note: a static change waits for the next start",
      "",
      "to finish it:  qmpctl setvcpus web1 1 --live",
      "to undo it:    qmpctl setvcpus web1 2 --live",
      "",
    ].join("\n"),
  );
});

test("a half that does not exist is left out", () => {
  const changes = [
    {
      change: { resource: "vcpu-pin", vcpu: 3, cpus: "0-1" } as const,
      static: leg("unchanged", { before: "0-1", wanted: "0-1", actual: "0-1" }),
      dynamic: leg("skipped", { before: null, wanted: null, actual: null }),
    },
  ];
  expect(show({ outcome: "unchanged", changes })).toBe(
    "resource    half    before -> wanted  actual  outcome\nvcpu-pin 3  static  0-1               0-1     unchanged\n",
  );
});

test("a dry run shows the steps and the lines of the config", () => {
  const text = show({
    outcome: "planned",
    changes: [],
    steps: [
      { what: "unplug vCPU 2", sends: 'device_del {"id":"vcpu2"}', undo: "plug it again", outcome: "planned" },
      { what: "unplug vCPU 1", sends: 'device_del {"id":"vcpu1"}', noUndo: "QEMU 7.2 dies of it", outcome: "planned" },
    ],
    config: { path: "/etc/qmpctl/web1.json", before: '{\n  "vcpus": 3\n}\n', after: '{\n  "vcpus": 1\n}\n' },
  });
  expect(text).toBe(
    [
      "dry run: nothing was touched",
      "would do on the running machine, in this order:",
      "  1. unplug vCPU 2",
      '     device_del {"id":"vcpu2"}',
      "     undo: plug it again",
      "  2. unplug vCPU 1",
      '     device_del {"id":"vcpu1"}',
      "     can't be undone: QEMU 7.2 dies of it",
      "would write /etc/qmpctl/web1.json:",
      '  -   "vcpus": 3',
      '  +   "vcpus": 1',
      "",
    ].join("\n"),
  );
});

test("nothing to change is said", () => expect(show({ outcome: "unchanged", changes: [] })).toBe("nothing to change\n"));

test("on a narrow terminal the reason wraps", () => {
  const reason = "the guest has no balloon driver that would give memory back";
  const changes = [
    { change: { resource: "vcpus", count: 1 } as const, static: leg("applied", { actual: 1 }), dynamic: leg("pending", { reason }) },
  ];
  expect(
    show({ changes }, 80)
      .split("\n")
      .every((line) => line.length <= 80),
  ).toBe(true);
});

describe("exit codes", () => {
  test.each([
    ["planned", 0],
    ["unchanged", 0],
    ["applied", 0],
    ["rolled-back", 1],
    ["refused", 3],
    ["failed", 4],
    ["pending", 5],
  ] as const)("%s is %i", (outcome, code) => expect(exitCodeOf(reportOf({ outcome }))).toBe(code));
});

test.each([
  ["memory", 2 ** 30, "1GiB"],
  ["max-memory", 2 ** 30, "1GiB"],
  ["vcpus", 4, "4"],
  ["vcpu-pin 0", "0-3", "0-3"],
  ["memory", null, "-"],
])("%s %s is shown as %s", (resource, value, text) => expect(showValue(resource, value)).toBe(text));

test("of several changes, those with nothing to say share a line", () => {
  const same = { outcome: "unchanged", before: 4, wanted: 4, actual: 4 } as const;
  const skipped = { outcome: "skipped", before: 4, wanted: null, actual: 4 } as const;
  const applied = { outcome: "applied", before: 1, wanted: 2, actual: 2 } as const;
  const text = show({
    changes: [
      { change: { resource: "max-vcpus", count: 4 }, static: same, dynamic: skipped },
      { change: { resource: "vcpus", count: 2 }, static: applied, dynamic: skipped },
      { change: { resource: "vcpu-pin", vcpu: 0, cpus: "all" }, static: same, dynamic: skipped },
    ],
  });
  expect(text).toMatch(/^resource .*\nvcpus +static .*\nvcpus +dynamic .*\nunchanged: max-vcpus, vcpu-pin 0\n$/);
});

test("a note stays within the terminal", () => {
  expect(noteLine("the config is for the next start", 20)).toBe("note: the config is\nfor the next start\n");
  expect(noteLine("as it is")).toBe("note: as it is\n");
});
