import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-code.ts";
import { noteLine } from "../../src/cli/output.ts";
import { showReport, showValue } from "../../src/cli/report.ts";
import type { Leg } from "../../src/domain/model/change.ts";
import type { Change } from "../../src/domain/resources/registry.ts";
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

const MIB = 2 ** 20;
const memory = { share: null, swapped: 0, huge: 0, transparentHuge: null, locked: 0, pinned: 0 };
const hostOf = (before: number, after: number, givenUp: number, why: readonly string[] = []) => ({
  before: { ...memory, resident: before * MIB },
  after: { ...memory, resident: after * MIB },
  givenUp: givenUp * MIB,
  freed: Math.max(0, before - after) * MIB,
  why,
});

test("what the host's memory did stands beside the guest's", () => {
  expect(show({ host: hostOf(1080, 356.5, 724) })).toBe(
    [
      "resource  half     before -> wanted  actual  host                 outcome",
      "memory    static   1GiB -> 300MiB    300MiB  -                    applied",
      "memory    dynamic  1GiB -> 300MiB    300MiB  1080MiB -> 356.5MiB  applied",
      "",
    ].join("\n"),
  );
});

test("what QEMU's own cgroup is charged stands below", () => {
  const host = hostOf(1080, 356.5, 724);
  const charged = (of: typeof host.before, mib: number) => ({ ...of, cgroup: { path: "/vm", charged: mib * MIB } });
  const text = show({ host: { ...host, before: charged(host.before, 1100), after: charged(host.after, 380.5) } });
  expect(text.split("\n").at(-2)).toBe("cgroup: 1100MiB -> 380.5MiB");
  // One that it had to itself at one of the two looks only.
  expect(show({ host: { ...host, before: charged(host.before, 1100) } })).not.toContain("cgroup");
});

test("why the host got less than the guest gave up, and that it did where nobody knows why", () => {
  const last = (host: ReturnType<typeof hostOf>, columns?: number) => show({ host }, columns).split("\n").slice(3).join("\n");
  expect(last(hostOf(1080, 1080, 724, ["1024MiB are locked (VmLck)", "and so on"]))).toBe(
    "host: nothing freed, of the 724MiB given up: 1024MiB are locked (VmLck); and so on\n",
  );
  expect(last(hostOf(1080, 1000.5, 724))).toBe("host: 79.5MiB freed, of the 724MiB given up\n");
  expect(show({ hostDenied: "the kernel does not show it" })).toContain("\nhost: not known: the kernel does not show it\n");
  const narrow = show({ host: hostOf(1080, 1080, 724, ["a reason that is longer than a narrow terminal is wide"]) }, 40);
  expect(Math.max(...narrow.split("\n").map((line) => line.length))).toBeLessThanOrEqual(40);
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

test("a dry run of a stopped machine says that its images are changed, and not that it runs", () => {
  const steps = [{ what: "make the image of disk d0 2MiB", sends: "qemu-img", noUndo: "never", outcome: "planned" }] as const;
  expect(show({ outcome: "planned", state: "stopped", changes: [], steps })).toContain("\nwould do on the images of the stopped machine,");
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

describe("a report shows values as people read them", () => {
  const [disk, other] = ["-blockdev raw,node-name=d,file=f -device virtio-blk-pci,drive=d,id=d1", "-device virtio-blk-pci,id=d1"];
  test.each<[Change, string | number, string | number, string]>([
    [{ resource: "device", id: "d1", words: disk }, "absent", disk, "absent -> virtio-blk-pci  virtio-blk-pci"],
    [{ resource: "device", id: "d1", words: "absent" }, disk, "absent", "virtio-blk-pci -> absent  absent"],
    // Its driver alone would say that nothing differs.
    [{ resource: "device", id: "d1", words: disk }, other, disk, `${other} -> ${disk}  virtio-blk-pci`],
    [{ resource: "memory-period", seconds: 10 }, 5, 10, "5 s -> 10 s  10 s"],
  ])("%o from %o to %o", (change, before, wanted, cells) => {
    const half = { before, wanted, actual: wanted, outcome: "applied" } as const;
    expect(show({ changes: [{ change, static: half, dynamic: half }] }).replaceAll(/ {2,}/g, "  ")).toContain(`static  ${cells}  applied`);
  });
});
