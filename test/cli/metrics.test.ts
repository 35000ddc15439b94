import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { metricsText } from "../../src/cli/metrics.ts";
import type { DomainStats } from "../../src/domain/views/stats.ts";
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
