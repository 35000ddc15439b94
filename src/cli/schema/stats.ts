import type { DomainInfo } from "../../domain/views/inspect.ts";
import type { DiskStats, DomainStats, MemoryStats, VcpuStats } from "../../domain/views/stats.ts";
import type { TapCounters } from "../../host/taps.ts";
import { either, like, list, nullable, number, optional, type Shape, string, words } from "../../shape.ts";
import { state } from "./report.ts";

const TAP = {
  interface: string,
  receivedBytes: number,
  receivedPackets: number,
  receivedDropped: number,
  sentBytes: number,
  sentPackets: number,
};

const STATS = {
  name: string,
  at: string,
  reason: optional(string),
  pid: optional(number),
  uptime: optional(number),
  cpuTime: optional(number),
  vcpus: list(like<VcpuStats>({ vcpu: number, cpuTime: nullable(number), waitTime: nullable(number) })),
  memory: nullable(like<MemoryStats>({ current: number, max: number, host: optional(number) })),
  disks: list(
    like<DiskStats>({
      ...{ disk: string, readBytes: number, writtenBytes: number, reads: number, writes: number, flushes: number },
      ...{ readTime: number, writeTime: number, flushTime: number, failedReads: number, failedWrites: number },
    }),
  ),
  nets: list(like<TapCounters>(TAP)),
};

/** What `stats` answers. */
export const stats: Shape<DomainStats> = like<DomainStats>({ ...STATS, state });

/** What is known of a domain, also of one whose config can't be read. */
export type DomainFigures = Omit<DomainStats, "state"> & Pick<DomainInfo, "state">;

/** What `metrics --json` answers. */
export const allStats: Shape<readonly DomainFigures[]> = list(
  like<DomainFigures>({ ...STATS, state: either(state, words({ damaged: true, unsafe: true })) }),
);
