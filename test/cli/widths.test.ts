import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { verbs } from "../../src/cli/command.ts";
import { ChangeError, RefusedError } from "../../src/domain/change/errors.ts";
import type { Domain } from "../../src/domain/facade.ts";
import { program } from "./program.ts";
import { livesOf, play, reportOf, type Stage } from "./scene.ts";

const WHY = "unplug: the guest refused to let go of vCPU 1 (the device is in use by an application, _OST status 128)";
const leg = { before: 2, wanted: 1, actual: 2, outcome: "rolled-back", reason: WHY } as const;
const changes = [
  { change: { resource: "vcpus", count: 1 }, static: leg, dynamic: { ...leg, reason: `${WHY}, and it was asked again after that` } },
] as const;
const report = reportOf({
  outcome: "pending",
  changes,
  steps: [
    {
      what: "unplug vCPU 1",
      sends: 'device_del {"id":"vcpu1"}',
      undo: 'device_add {"driver":"host-x86_64-cpu"}',
      outcome: "planned",
    } as never,
  ],
  notes: ["the config is for the next start: a reboot from inside the guest keeps the machine as it is"],
  finish: "qmpctl setvcpus web1 1 --static --dynamic",
  takeBack: "qmpctl setvcpus web1 2 --static --dynamic",
  config: { path: "/etc/qmpctl/web1.json", before: '{\n  "current": 2\n}', after: '{\n  "current": 1\n}' },
});
const info = {
  name: "web1",
  state: "unreachable",
  reason: "its monitor does not answer: a signal has stopped it; kill -CONT 4711 lets it go on",
  transient: false,
  pid: 4711,
  emulator: "qemu-system-x86_64",
  version: "10.0.13",
  configPath: "/etc/qmpctl/web1.json",
  config: { memory: 2 ** 30, maxMemory: 2 ** 31, vcpus: 1, maxVcpus: 4 },
  interrupted: "a change of its memory to 300MiB was interrupted at 12:00",
  uptime: 5e6,
} as never;
const started = {
  name: "web1",
  pid: 1,
  vcpus: 1,
  memory: 2 ** 30,
  notes: ["QEMU says: warning: host doesn't support requested feature: CPUID.01H:ECX.svm [bit 2]"],
  how: "the guest powered off",
  elapsed: 5,
} as never;

const domain: Partial<Domain> = {
  change: async () => report,
  revert: async () => ({ ...report, outcome: "planned" }),
  persist: async () => report,
  apply: async () => report,
  recover: async () =>
    ({
      domain: "web1",
      reports: [report],
      restoredConfig: true,
      lost: "the half of the machine that is gone, which nobody can bring back",
      dryRun: false,
      how: "undo",
      settled: [],
    }) as never,
  info: async () => info,
  vcpus: async () =>
    [0, 1].map((vcpu) => ({
      vcpu,
      online: true,
      tid: 424242,
      name: `CPU ${vcpu}/KVM`,
      cpu: 0,
      cpuTime: 123456,
      affinity: "0-3,8-11",
      pin: "0-3,8-11",
    })),
  diff: async () =>
    [
      {
        resource: "max-memory",
        config: 2 ** 30,
        live: 2 ** 29,
        guest: 2 ** 28,
        why: "changed on one side only: `revert` makes live equal the config",
      },
    ] as never,
  stats: async () => ({
    ...{ name: "web1", state: "running", at: "2026-11-26T12:00:00.000Z", uptime: 123_456_789, cpuTime: 98_765_432 },
    vcpus: [{ vcpu: 0, cpuTime: 98_765_432, waitTime: 1234 }],
    memory: { current: 3 * 2 ** 30 + 1, max: 2 ** 32, host: 2 ** 31 + 5 },
    disks: [
      {
        ...{ disk: "a-disk-with-a-long-name", readBytes: 123_456_789_012, writtenBytes: 5, reads: 123_456, writes: 7, flushes: 8 },
        ...{ readTime: 1, writeTime: 2, flushTime: 3, failedReads: 0, failedWrites: 1 },
      },
    ],
    nets: [{ interface: "vnet12", receivedBytes: 1e12, receivedPackets: 5, receivedDropped: 6, sentBytes: 7, sentPackets: 8 }],
  }),
  memory: async () =>
    ({
      ...{ name: "web1", state: "running", balloon: { actual: 2 ** 30, target: null, most: 2 ** 31 } },
      guest: {
        figures: { "total-memory": 2 ** 30, "oom-kills": null, "a-figure-of-a-newer-qemu": 7 },
        at: 1,
        age: "asked every 5 s",
        period: 5,
      },
      host: { resident: 2 ** 30, share: null, swapped: 0, huge: 0, transparentHuge: null, locked: 0, pinned: 1, denied: WHY },
      why: "QEMU does not ask the guest: --period 5 has it asked every 5 s",
    }) as never,
  ...livesOf(started),
};
const failing = [
  new RefusedError({
    ...report,
    outcome: "refused",
    refusals: [
      {
        leg: "static",
        reason: "9 vCPUs are more than vcpus.max 4 of the config",
        instead: "qmpctl setvcpus web1 9 --maximum --static first",
      },
    ],
  }),
  new ChangeError({ ...report, outcome: "rolled-back" }, WHY, { cause: undefined }),
].map((error): Partial<Domain> => ({
  change: () => Promise.reject(error),
  revert: () => Promise.reject(error),
  start: () => Promise.reject(error),
}));

const facade: Stage["facade"] = {
  list: async () =>
    [
      info,
      {
        name: "a-domain-with-a-long-name",
        state: "running",
        transient: false,
        pid: 1,
        live: { memory: 2 ** 30, vcpus: 1, maxMemory: 1, maxVcpus: 1 },
      },
    ] as never,
  define: async () => ({
    domain: { name: "web1", configPath: "/etc/qmpctl/web1.json" },
    notes: ['-qmp unix:/tmp/web1.sock,server=on,wait=off: now the key "monitor"'],
  }),
};

const LINES: readonly (readonly string[])[] = [
  [],
  ["help"],
  ["list", "--all"],
  ["define", "x"],
  ["setmem", "web1", "1G"],
  ["setmem", "web1", "1MB"],
  ["setvcpus", "web1", "1"],
  ["setvcpus", "web1", "1", "--lvie"],
  ["vcpupin", "web1"],
  ["vcpupin", "web1", "0", "1"],
  ["recover", "web1", "--undo"],
  ["reboot", "web1"],
  ["list", "-c", "x"],
  ...[
    "info",
    "vcpuinfo",
    "memstat",
    "stats",
    "diff",
    "revert",
    "persist",
    "start",
    "restart",
    "shutdown",
    "destroy",
    "reset",
    "suspend",
    "resume",
    "undefine",
  ].map((verb) => [verb, "web1"]),
  ...Object.keys(verbs).map((verb) => [verb, "--help"]),
];

/** A command line of an example goes on after a backslash, which is no word of it. */
const wordsOf = (text: string): ReadonlySet<string> => new Set(text.replaceAll(/ \\$/gm, "").split(/\s+/));

describe.each(LINES)("%j %s", (...line) => {
  test.each([40, 60, 80, 200])("F6: stays within %i columns, and breaks no word", async (columns) => {
    for (const each of [domain, ...failing]) {
      const wide = await play(line, { domain: { ...domain, ...each }, facade });
      const { stdout, stderr, code } = await play(line, {
        domain: { ...domain, ...each },
        facade,
        columns,
        env: { NO_COLOR: "1", TERM: "dumb" },
      });
      expect(code).toBe(wide.code);
      for (const text of (stdout + stderr).split("\n")) {
        // Only a word that is longer than the terminal may reach over its edge.
        if (text.length > columns) expect(text.trim().replace(/^# | \\$/g, ""), text).not.toContain(" ");
      }
      const whole = wordsOf(wide.stdout + wide.stderr);
      // What a paragraph has instead of a table's header is of the table's words.
      expect([...wordsOf(stdout + stderr)].filter((word) => !whole.has(word))).toEqual([]);
    }
  });
});

test.each([40, 60, 80])("what the shell says of itself stays within %i columns", async (columns) => {
  const { describe: describeTopic } = await import("../../src/cli/shell/describe.ts");
  const { Schema } = await import("../../src/cli/shell/schema.ts");
  const { recorded } = await import("./shell/schemas.ts");
  const schema = new Schema(await recorded("10.0.13"));
  for (const topic of [undefined, "help", "events", "hmp", "exit"]) {
    for (const line of describeTopic(topic, schema, columns).split("\n"))
      if (line.length > columns) expect(line.trim(), line).not.toContain(" ");
  }
});

test.each([
  ["40", 40],
  ["0", 80],
  ["wide", 80],
])("a terminal without a size is as wide as COLUMNS=%s says", (value, columns) => {
  const command = `'${process.execPath}' '${program}' help`;
  const env = { PATH: process.env["PATH"], TERM: "dumb", SHELL: "/bin/sh", COLUMNS: value, NODE_DISABLE_COMPILE_CACHE: "1" };
  const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], { env, encoding: "utf8", input: "" });
  const longest = Math.max(...stdout.split(/\r?\n/).map((line) => line.trimEnd().length));
  expect(longest).toBeLessThanOrEqual(columns);
  expect(longest).toBeGreaterThan(columns * 0.9);
});
