import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { metricsText } from "../../src/cli/metrics.ts";
import { allStats } from "../../src/cli/schema/stats.ts";
import type { DomainStats } from "../../src/domain/views/stats.ts";
import { programIs } from "../../src/host/own-program.ts";
import { faultOf } from "../../src/shape.ts";
import { play, type Stage } from "./scene.ts";

const STATS: DomainStats = {
  name: "web1",
  state: "running",
  at: "2026-11-26T12:00:00.000Z",
  pid: 4711,
  uptime: 90_500,
  cpuTime: 1500,
  vcpus: [
    { vcpu: 0, cpuTime: 1250, waitTime: 300 },
    { vcpu: 1, cpuTime: null, waitTime: null },
  ],
  memory: { current: 2 ** 30, max: 2 ** 31, host: 2 ** 29 },
  disks: [
    {
      ...{ disk: 'a"\\b', readBytes: 1, writtenBytes: 2, reads: 3, writes: 4, flushes: 5 },
      ...{ readTime: 6, writeTime: 7, flushTime: 8, failedReads: 9, failedWrites: 10 },
    },
  ],
  nets: [{ interface: "tap0", receivedBytes: 11, receivedPackets: 12, receivedDropped: 13, sentBytes: 14, sentPackets: 15 }],
};
const MEASURED = [
  { domain: "web1", state: "running", stats: STATS },
  { domain: "web2", state: "unreachable", stats: null },
] as const;

test("OpenMetrics: a counter's samples end in _total, its family does not, and the text ends with EOF", () => {
  const text = metricsText(MEASURED, "openmetrics");
  expect(text).toContain(
    '# HELP qmpctl_vcpu_seconds CPU time of a vCPU.\n# TYPE qmpctl_vcpu_seconds counter\n# UNIT qmpctl_vcpu_seconds seconds\nqmpctl_vcpu_seconds_total{domain="web1",vcpu="0"} 1.25\n#',
  );
  expect(text).toContain(
    'qmpctl_domain_state{domain="web1",state="running"} 1\nqmpctl_domain_state{domain="web2",state="unreachable"} 1\n',
  );
  expect(text).toContain('qmpctl_disk_read_bytes_total{domain="web1",disk="a\\"\\\\b"} 1\n');
  expect(text).toContain('qmpctl_net_dropped_packets_total{domain="web1",interface="tap0"} 13\n');
  expect(text.endsWith("\n# EOF\n")).toBe(true);
  // Each family once, and no family without samples.
  const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  expect(new Set(families).size).toBe(families.length);
  for (const family of families) expect(text).toMatch(new RegExp(`^${family}(_total)?\\{`, "m"));
});

test("Prometheus's text format: the type stands under the name of the samples", () => {
  const text = metricsText(MEASURED, "prometheus");
  expect(text).toContain("# TYPE qmpctl_vcpu_seconds_total counter\nqmpctl_vcpu_seconds_total{");
  expect(text).not.toMatch(/# (UNIT|EOF)/);
});

test("without a domain there is nothing but the end", () => {
  expect(metricsText([], "openmetrics")).toBe("# EOF\n");
  expect(metricsText([], "prometheus")).toBe("");
});

const STAGE: Stage = {
  domain: { stats: async () => STATS },
  facade: {
    list: async () => [
      { name: "web1", state: "running", transient: false, live: {} as never },
      { name: "web2", state: "stopped", transient: false },
    ],
  },
};

test("metrics asks those that run, and writes a file whole", async () => {
  const { stdout, opened, disposed } = await play(["metrics"], STAGE);
  expect({ opened, disposed }).toEqual({ opened: ["web1"], disposed: 1 });
  expect(stdout).toContain('qmpctl_domain_state{domain="web2",state="stopped"} 1\n');
  const folder = mkdtempSync(join(tmpdir(), "qmpctl-metrics-"));
  const file = join(folder, "qmpctl.prom");
  expect(await play(["metrics", "--write", file], STAGE)).toMatchObject({ code: 0, stdout: "" });
  expect(readFileSync(file, "utf8")).toContain('qmpctl_memory_bytes{domain="web1"} 1073741824\n');
  expect([readdirSync(folder), statSync(file).mode & 0o777]).toEqual([["qmpctl.prom"], 0o644]);
  rmSync(folder, { recursive: true });
});

test("metrics --json is one value: what stats answers, of each domain", async () => {
  const { stdout } = await play(["metrics", "--json"], STAGE);
  const answer: unknown = JSON.parse(stdout);
  expect(faultOf(allStats, answer)).toBeUndefined();
  const damaged = { ...STAGE, facade: { list: async () => [{ name: "web3", state: "damaged", transient: false, reason: "x" }] as never } };
  expect(faultOf(allStats, JSON.parse((await play(["metrics", "--json"], damaged)).stdout))).toBeUndefined();
  expect(answer).toMatchObject([STATS, { name: "web2", state: "stopped", vcpus: [], memory: null }]);
  expect((await play(["metrics", "--json", "--write", "/x"], STAGE)).stderr).toContain("--json and --write: give only one");
});

test("stats shows what was used, as people read it", async () => {
  expect(await play(["stats", "web1"], STAGE)).toMatchObject({
    code: 0,
    stdout: [
      "web1 is running, for 1 min 30 s",
      "memory: 1GiB of 2GiB, 512MiB of the host's RAM",
      "CPU time: 1.5 s, with QEMU's own",
      "vCPU    ran  waited",
      "0     1.2 s  300 ms",
      "1         -       -",
      "disk  read  written  reads  writes  flushes  failed",
      'a"\\b    1B       2B      3       4        5      19',
      "net   received  sent  dropped",
      "tap0       11B   14B       13",
      "",
    ].join("\n"),
  });
});

describe("metrics --unit", () => {
  const unit = async (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    (await play(["metrics", "--unit", ...words], { env })).stdout;

  test("prints a service with absolute paths, and its timer", async () => {
    programIs(() => ({ path: import.meta.filename }));
    expect(await unit(["service"])).toMatch(
      /^ExecStart=\/\S+ \/\S+\/metrics\.test\.ts metrics --timeout 5s --write \/var\/lib\/prometheus\/node-exporter\/qmpctl\.prom$/m,
    );
    expect(await unit(["service", "--write", "x.prom"])).toContain(`--write ${process.cwd()}/x.prom\n`);
    expect(await unit(["timer"])).toMatch(/\[Timer\]\n(.*\n)*\[Install\]\nWantedBy=timers\.target\n$/);
  });

  test("quotes what systemd would read as something else, and names the folders that the shell has", async () => {
    const text = await unit(["service", "--write", '/a b/$HOME %h "q".prom'], { QMPCTL_STATE_DIR: "/s t/100%" });
    expect(text).toContain('--write "/a b/$$HOME %%h \\"q\\".prom"\n');
    expect(text).toContain('Environment="QMPCTL_STATE_DIR=/s t/100%%"\n');
  });

  test("takes no file without a name: that would be the folder that it is called in", async () => {
    for (const words of [["--unit", "service"], []])
      expect(await play(["metrics", ...words, "--write", ""])).toMatchObject({ code: 2, stdout: "" });
  });

  test("is of this host, and of one of two kinds", async () => {
    expect((await play(["metrics", "--unit", "socket"])).stderr).toContain("--unit socket: give service or timer");
    const elsewhere = { facade: { isElsewhere: true } as const };
    expect((await play(["metrics", "--unit", "timer"], elsewhere)).stderr).toContain("a unit is of this host");
  });

  test.skipIf(!existsSync("/usr/bin/systemd-analyze"))("systemd takes both (skipped: no systemd-analyze)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmpctl-unit-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const paths = ["service", "timer"].map((kind) => join(folder, `qmpctl-metrics.${kind}`));
    // Nothing has said where the program is here: systemd looks whether it is there.
    const service = (await unit(["service", "--write", "/a b/%.prom"])).replace("ExecStart=qmpctl", "ExecStart=/bin/true");
    await writeFile(paths[0] ?? "", service);
    await writeFile(paths[1] ?? "", await unit(["timer"]));
    const { stdout, stderr } = await promisify(execFile)("systemd-analyze", ["verify", "--man=no", ...paths]);
    expect(stdout + stderr).toBe("");
  });
});
