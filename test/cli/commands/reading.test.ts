import { describe, expect, test } from "vitest";
import { CHANGED, type DiffRow } from "../../../src/domain/resources/row.ts";
import type { DomainInfo, VcpuInfo } from "../../../src/domain/views/inspect.ts";
import type { ThreadInfo } from "../../../src/domain/views/threads.ts";
import { play } from "../scene.ts";

const mebi = 2 ** 20;
const allocation = { memory: 512 * mebi, maxMemory: 1024 * mebi, vcpus: 2, maxVcpus: 4 };
const running: DomainInfo = {
  name: "web1",
  state: "running",
  transient: false,
  pid: 4711,
  emulator: "qemu-system-x86_64",
  version: "7.2.22",
  config: { ...allocation, vcpus: 3 },
  live: allocation,
  configPath: "/etc/qmpctl/web1.json",
  uptime: 125_000,
};
const stopped: DomainInfo = { name: "db", state: "stopped", transient: false, config: allocation };
const lost: DomainInfo = {
  name: "build-server",
  state: "unreachable",
  transient: false,
  pid: 99,
  reason: "another client holds the monitor",
  config: allocation,
};

describe("list", () => {
  test("aligned, with why", async () => {
    let given: unknown;
    const list = async (options: unknown) => ((given = options), [running, stopped, lost]);
    const { code, stdout, stderr } = await play(["list", "--all", "--timeout", "2"], { facade: { list } });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      [
        "name          state         pid  vCPUs  memory  why",
        "web1          running      4711      2  512MiB",
        "db            stopped         -      2  512MiB",
        "build-server  unreachable    99      2  512MiB  another client holds the monitor",
        "",
      ].join("\n"),
    );
    expect(given).toEqual({ all: true, timeout: 2000, signal: expect.any(AbortSignal) as AbortSignal });
  });

  test("with what the host gave, where one runs of which that is known", async () => {
    const list = async () => [{ ...running, live: { ...allocation, host: 300 * mebi } }, stopped];
    expect((await play(["list", "--all"], { facade: { list } })).stdout).toBe(
      [
        "name  state     pid  vCPUs  memory    host",
        "web1  running  4711      2  512MiB  300MiB",
        "db    stopped     -      2  512MiB       -",
        "",
      ].join("\n"),
    );
  });

  test("for programs, the library's list", async () => {
    expect(JSON.parse((await play(["list", "--json"], { facade: { list: async () => [running] } })).stdout)).toEqual([running]);
    expect((await play(["list", "--json"], { facade: { list: async () => [] } })).stdout).toBe("[]\n");
  });

  test.each([undefined, 80])("of nothing says so on stderr, with what to do, and stdout stays empty (columns: %s)", async (columns) => {
    const stage = { facade: { list: async () => [] }, ...(columns === undefined ? {} : { columns }) };
    expect(await play(["list"], stage)).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "no domain is running: `qmpctl list --all` also lists stopped ones\n",
    });
    expect(await play(["list", "--all"], stage)).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "no domains are defined: `qmpctl define` makes one\n",
    });
    expect(await play(["list", "--json"], stage)).toMatchObject({ code: 0, stdout: "[]\n", stderr: "" });
  });
});

describe("info", () => {
  test.each(["info", "dominfo"])("%s", async (verb) => {
    expect((await play([verb, "web1"], { domain: { info: async () => running } })).stdout).toBe(
      [
        "name       web1",
        "state      running",
        "pid        4711",
        "up for     2 min 5 s",
        "emulator   qemu-system-x86_64, QEMU 7.2.22",
        "config     /etc/qmpctl/web1.json",
        "autostart  no",
        "",
        "            config    live",
        "memory      512MiB  512MiB",
        "max memory    1GiB    1GiB",
        "vCPUs            3       2",
        "max vCPUs        4       4",
        "",
      ].join("\n"),
    );
  });

  test("of DIMMs and virtio-mem tells both sides, the target, and what the guest has of all of it", async () => {
    const config = { ...allocation, dimms: 128 * mebi, virtioMem: 512 * mebi };
    const live = { ...allocation, virtioMem: 256 * mebi, virtioMemTarget: 512 * mebi };
    const guest = { vcpus: 2, memory: 1280 * mebi };
    const { stdout } = await play(["info", "web1"], { domain: { info: async () => ({ ...running, config, live, guest }) } });
    expect(stdout.split("\n\n")[1]).toBe(
      [
        "              config              live    guest",
        "memory        512MiB            512MiB        -",
        "max memory      1GiB              1GiB        -",
        "of it DIMMs   128MiB                0B        -",
        "virtio-mem    512MiB  256MiB of 512MiB        -",
        "all memory   1536MiB           1280MiB  1280MiB",
        "vCPUs              2                 2        2",
        "max vCPUs          4                 4        -",
        "",
      ].join("\n"),
    );
  });

  test("of what can't be reached says why, and never that it is stopped", async () => {
    const { stdout } = await play(["info", "x"], { domain: { info: async () => ({ ...lost, transient: true }) } });
    expect(stdout).toContain("state   unreachable\nwhy     another client holds the monitor\n");
    expect(stdout).toContain("config  none: the domain is transient\n");
    expect(stdout).toContain("memory      512MiB     -\n");
  });

  test("for programs", async () => {
    expect(JSON.parse((await play(["info", "web1", "--json"], { domain: { info: async () => running } })).stdout)).toEqual(running);
  });
});

test.each([
  ["{}", "{}\n"],
  ['{\n  "name": "web1"\n}\n', '{\n  "name": "web1"\n}\n'],
])("config prints the file as it is, ended by one newline: %j", async (text, stdout) => {
  expect((await play(["config", "web1"], { domain: { config: async () => text } })).stdout).toBe(stdout);
});

const vcpus: readonly VcpuInfo[] = [
  { vcpu: 0, online: true, tid: 4713, name: "CPU 0/TCG", cpu: 1, cpuTime: 12_340, affinity: "0-1", pin: null },
  { vcpu: 1, online: false, tid: null, name: null, cpu: null, cpuTime: null, affinity: null, pin: "1" },
];

test("vcpuinfo", async () => {
  const domain = { vcpus: async () => vcpus };
  expect((await play(["vcpuinfo", "web1"], { domain })).stdout).toBe(
    [
      "vCPU  state    thread  name       on CPU    time  live  config",
      "   0  online     4713  CPU 0/TCG       1  12.3 s  0-1   -",
      "   1  offline       -  -               -       -  -     1",
      "",
    ].join("\n"),
  );
  expect(JSON.parse((await play(["vcpuinfo", "web1", "--json"], { domain })).stdout)).toEqual(vcpus);
});

const threads: readonly ThreadInfo[] = [
  {
    tid: 4700,
    name: "qemu-system-x86",
    role: "main",
    of: null,
    affinity: "0-1",
    policy: "other",
    cpu: 0,
    cpuTime: 90,
    pin: null,
    sched: null,
  },
  {
    tid: 4701,
    name: "IO io0",
    role: "iothread",
    of: "io0",
    affinity: "0",
    policy: "fifo:1",
    cpu: 0,
    cpuTime: 7_000,
    pin: "0",
    sched: "fifo:1",
  },
  { tid: 4713, name: "CPU 0/TCG", role: "vcpu", of: 0, affinity: null, policy: null, cpu: null, cpuTime: null, pin: "1", sched: null },
  {
    ...{ tid: 4800, name: "vhost-4700", role: "vhost", of: null, isKernel: true, affinity: "1", policy: "other" },
    ...{ cpu: 1, cpuTime: 0, pin: null, sched: null },
  },
];

test("threads", async () => {
  const domain = { threads: async () => threads };
  expect((await play(["threads", "web1"], { domain, columns: 80, env: { NO_COLOR: "1" } })).stdout).toBe(
    [
      "thread  is              name             CPUs  policy  on   time  config",
      "  4700  main            qemu-system-x86  0-1   other    0  90 ms  -",
      "  4701  iothread io0    IO io0           0     fifo:1   0    7 s  0, fifo:1",
      "  4713  vCPU 0          CPU 0/TCG        -     -        -      -  1",
      "  4800  vhost (kernel)  vhost-4700       1     other    1   0 ms  -",
      "",
    ].join("\n"),
  );
  expect(JSON.parse((await play(["threads", "web1", "--json"], { domain })).stdout)).toEqual(threads);
});

describe("vcpupin without a list shows", () => {
  const domain = { vcpus: async () => vcpus };

  test("all", async () =>
    expect((await play(["vcpupin", "web1"], { domain })).stdout).toBe("vCPU  config  live\n   0  -       0-1\n   1  1       -\n"));
  test("one", async () => expect((await play(["vcpupin", "web1", "1"], { domain })).stdout).toBe("vCPU  config  live\n   1  1       -\n"));
  test("for programs", async () =>
    expect(JSON.parse((await play(["vcpupin", "web1", "1", "--json"], { domain })).stdout)).toEqual(vcpus.slice(1)));
  test("no vCPU that there is not", async () => {
    expect(await play(["vcpupin", "web1", "7"], { domain })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("vCPU 7: web1 has no such vCPU") as string,
      disposed: 1,
    });
  });
});

test.each(["vcpuinfo", "vcpupin", "diff"])("%s of what can't be reached says so, and ends with 1", async (verb) => {
  const offline = vcpus.slice(1);
  const domain = {
    vcpus: async () => offline,
    diff: async () => [{ resource: "vcpus", config: 2, live: null, guest: null, why: null }],
    info: async () => lost,
  };
  expect(await play([verb, "web1"], { domain })).toMatchObject({
    code: 1,
    stderr: "qmpctl: web1: unreachable: another client holds the monitor\n",
  });
  expect(await play([verb, "web1"], { domain: { ...domain, info: async () => stopped } })).toMatchObject({ code: 0, stderr: "" });
});

test("diff", async () => {
  const rows: readonly DiffRow[] = [
    { resource: "memory", config: 512 * mebi, live: 512 * mebi, guest: 480 * mebi, why: null },
    { resource: "vcpus", config: 3, live: 2, guest: null, why: "changed on the running machine only" },
    { resource: "vcpu-pin 0", config: "0", live: "0-1", guest: null, why: "changed by somebody else" },
  ];
  const domain = { diff: async () => rows };
  expect((await play(["diff", "web1"], { domain })).stdout).toBe(
    [
      "resource    config    live   guest  why",
      "memory      512MiB  512MiB  480MiB",
      "vcpus            3       2       -  changed on the running machine only",
      "vcpu-pin 0       0     0-1       -  changed by somebody else",
      "",
    ].join("\n"),
  );
  expect(JSON.parse((await play(["diff", "web1", "--json"], { domain })).stdout)).toEqual(rows);
});

test("diff says once how sides become equal that were changed on one side only", async () => {
  const [why, two] = [`x; ${CHANGED}`, ["memory", "vcpus"]];
  const rows = two.map((resource): DiffRow => ({ resource, config: 2, live: 3, guest: null, why }));
  const { stdout } = await play(["diff", "web1"], { domain: { diff: async () => rows } });
  expect(stdout.split("\n").slice(1)).toEqual([
    "memory        2B    3B      -  x; changed on one side only",
    "vcpus          2     3      -  x; changed on one side only",
    "",
    "`revert` makes live equal the config, `persist` the config equal live",
    "",
  ]);
});

test("diff and info have a column for the host where it is known, and no difference in it", async () => {
  const rows: readonly DiffRow[] = [
    { resource: "memory", config: 512 * mebi, live: 300 * mebi, guest: null, host: 341.5 * mebi, why: "waits for the guest" },
    { resource: "vcpus", config: 2, live: 2, guest: null, why: null },
  ];
  expect((await play(["diff", "web1"], { domain: { diff: async () => rows } })).stdout).toBe(
    [
      "resource  config    live  guest      host  why",
      "memory    512MiB  300MiB      -  341.5MiB  waits for the guest",
      "vcpus          2       2      -         -",
      "",
    ].join("\n"),
  );
  const info = async () => ({ ...running, live: { ...allocation, host: 341.5 * mebi } });
  expect((await play(["info", "web1"], { domain: { info } })).stdout).toContain(
    [
      "            config    live      host",
      "memory      512MiB  512MiB  341.5MiB",
      "max memory    1GiB    1GiB         -",
      "vCPUs            3       2         -",
    ].join("\n"),
  );
});

test.each(["vcpuinfo", "vcpupin", "diff"])("%s asks why while it has the machine, and not after it let go of it", async (verb) => {
  const order: string[] = [];
  const info = async (): Promise<DomainInfo> => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push("answered");
    return lost;
  };
  const domain = {
    vcpus: async () => vcpus.slice(1),
    diff: async () => [{ resource: "vcpus", config: 2, live: null, guest: null, why: null }],
    info,
    [Symbol.asyncDispose]: async () => void order.push("let go"),
  };
  expect((await play([verb, "web1"], { domain })).code).toBe(1);
  expect(order).toEqual(["answered", "let go"]);
});
