import type { DomainInfo } from "../domain/views/inspect.ts";
import type { DiskStats, DomainStats } from "../domain/views/stats.ts";
import type { TapCounters } from "../host/taps.ts";

/** A domain, with its figures where it answers. */
export interface Measured {
  readonly domain: string;
  readonly state: DomainInfo["state"];
  readonly stats: Omit<DomainStats, "state"> | null;
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** One family of OpenMetrics: its name without the ending of counters, what it counts, and what it has of a domain. */
interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly unit?: "seconds" | "bytes";
  readonly help: string;
  readonly samples: (of: Measured) => readonly Sample[];
}

/** OpenMetrics 1.0; or the older text format of Prometheus, in which a counter's type stands under the name of its samples. */
export type MetricsFormat = "openmetrics" | "prometheus";

/**
 * The figures of domains for Prometheus. Times are in seconds, sizes in bytes. Of each domain there is its state, and of one that answers
 * all else.
 */
export function metricsText(domains: readonly Measured[], format: MetricsFormat): string {
  const isOpen = format === "openmetrics";
  const families = FAMILIES.map(({ name, type, unit, help, samples }) => {
    const sampled = type === "counter" ? `${name}_total` : name;
    const lines = domains.flatMap((each) =>
      samples(each).map(([labels, value]) => `${sampled}${labelled(each.domain, labels)} ${value}\n`),
    );
    const family = isOpen ? name : sampled;
    const head = `# HELP ${family} ${help}\n# TYPE ${family} ${type}\n${unit === undefined || !isOpen ? "" : `# UNIT ${family} ${unit}\n`}`;
    return lines.length === 0 ? "" : head + lines.join("");
  });
  return `${families.join("")}${isOpen ? "# EOF\n" : ""}`;
}

function labelled(domain: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries({ domain, ...labels }).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

const NONE: readonly Sample[] = [];
const SECOND = 1000;

function one(value: number | undefined | null): readonly Sample[] {
  return value === undefined || value === null ? NONE : [[{}, value]];
}

function perVcpu(valueOf: (vcpu: DomainStats["vcpus"][number]) => number | null): Family["samples"] {
  return ({ stats }) =>
    (stats?.vcpus ?? []).flatMap((each): readonly Sample[] => {
      const value = valueOf(each);
      return value === null ? NONE : [[{ vcpu: String(each.vcpu) }, value / SECOND]];
    });
}

function perDisk(valueOf: (disk: DiskStats) => number): Family["samples"] {
  return ({ stats }) => (stats?.disks ?? []).map((each): Sample => [{ disk: each.disk }, valueOf(each)]);
}

function perNet(valueOf: (net: TapCounters) => number): Family["samples"] {
  return ({ stats }) => (stats?.nets ?? []).map((each): Sample => [{ interface: each.interface }, valueOf(each)]);
}

const counter = (name: string, help: string, samples: Family["samples"]): Family => ({
  name: `qmpctl_${name}`,
  type: "counter",
  help,
  samples,
});
const seconds = (name: string, help: string, samples: Family["samples"]): Family => ({
  ...counter(`${name}_seconds`, help, samples),
  unit: "seconds",
});
const bytes = (name: string, help: string, samples: Family["samples"]): Family => ({
  ...counter(`${name}_bytes`, help, samples),
  unit: "bytes",
});
const gauge = (name: string, help: string, samples: Family["samples"]): Family => ({
  name: `qmpctl_${name}`,
  type: "gauge",
  help,
  samples,
});

const FAMILIES: readonly Family[] = [
  gauge("domain_state", "1 for the state that the domain is in.", ({ state }) => [[{ state }, 1]]),
  {
    ...gauge("uptime_seconds", "Time since QEMU was started.", ({ stats }) =>
      one(stats?.uptime === undefined ? null : stats.uptime / SECOND),
    ),
    unit: "seconds",
  },
  gauge("vcpus", "How many vCPUs the machine has.", ({ stats }) => (stats?.memory == null ? NONE : one(stats.vcpus.length))),
  seconds("cpu", "CPU time of QEMU, its vCPUs in it.", ({ stats }) => one(stats?.cpuTime === undefined ? null : stats.cpuTime / SECOND)),
  seconds(
    "vcpu",
    "CPU time of a vCPU.",
    perVcpu(({ cpuTime }) => cpuTime),
  ),
  seconds(
    "vcpu_wait",
    "Time that a vCPU waited for a CPU of the host.",
    perVcpu(({ waitTime }) => waitTime),
  ),
  { ...gauge("memory_bytes", "What the machine gives its guest.", ({ stats }) => one(stats?.memory?.current)), unit: "bytes" },
  { ...gauge("memory_max_bytes", "What it can give at most.", ({ stats }) => one(stats?.memory?.max)), unit: "bytes" },
  { ...gauge("memory_host_bytes", "What QEMU has in the RAM of the host.", ({ stats }) => one(stats?.memory?.host)), unit: "bytes" },
  bytes(
    "disk_read",
    "What the guest read.",
    perDisk(({ readBytes }) => readBytes),
  ),
  bytes(
    "disk_written",
    "What the guest wrote.",
    perDisk(({ writtenBytes }) => writtenBytes),
  ),
  counter(
    "disk_reads",
    "Reads that are done.",
    perDisk(({ reads }) => reads),
  ),
  counter(
    "disk_writes",
    "Writes that are done.",
    perDisk(({ writes }) => writes),
  ),
  counter(
    "disk_flushes",
    "Flushes that are done.",
    perDisk(({ flushes }) => flushes),
  ),
  seconds(
    "disk_read_time",
    "Time that reads took.",
    perDisk(({ readTime }) => readTime / SECOND),
  ),
  seconds(
    "disk_write_time",
    "Time that writes took.",
    perDisk(({ writeTime }) => writeTime / SECOND),
  ),
  seconds(
    "disk_flush_time",
    "Time that flushes took.",
    perDisk(({ flushTime }) => flushTime / SECOND),
  ),
  counter(
    "disk_failed_reads",
    "Reads that failed.",
    perDisk(({ failedReads }) => failedReads),
  ),
  counter(
    "disk_failed_writes",
    "Writes that failed.",
    perDisk(({ failedWrites }) => failedWrites),
  ),
  bytes(
    "net_received",
    "What the guest received.",
    perNet(({ receivedBytes }) => receivedBytes),
  ),
  bytes(
    "net_sent",
    "What the guest sent.",
    perNet(({ sentBytes }) => sentBytes),
  ),
  counter(
    "net_received_packets",
    "Packets that the guest received.",
    perNet(({ receivedPackets }) => receivedPackets),
  ),
  counter(
    "net_sent_packets",
    "Packets that the guest sent.",
    perNet(({ sentPackets }) => sentPackets),
  ),
  counter(
    "net_dropped_packets",
    "Packets for the guest that it did not take in time.",
    perNet(({ receivedDropped }) => receivedDropped),
  ),
];
