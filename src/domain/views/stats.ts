import { schedStatOf } from "../../host/schedstat.ts";
import { type TapCounters, tapsOf } from "../../host/taps.ts";
import { processTimeOf, usageOf } from "../../host/thread-usage.ts";
import { uptimeOf } from "../../host/uptime.ts";
import type { QueryBlockstatsItem } from "../../schema/generated/types.ts";
import { orNull } from "../facts/answer.ts";
import { diskNames } from "../facts/disks.ts";
import { readHostMemory } from "../facts/host-memory.ts";
import { hostRamOf } from "../facts/host-ram.ts";
import { memoryNow } from "../facts/live-memory.ts";
import type { Live, Vcpu } from "../facts/live.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import type { DomainState } from "../model/change.ts";

/** What a running machine has used since its QEMU was started, and what it has now. Counters only grow while that QEMU runs. */
export interface DomainStats {
  readonly name: string;
  readonly state: DomainState;
  /** When it was read, by this host's clock; ISO 8601. */
  readonly at: string;
  /** Why it does not answer. */
  readonly reason?: string;
  readonly pid?: number;
  /** Milliseconds since its process was started. */
  readonly uptime?: number;
  /** CPU time of all of QEMU, its vCPUs in it, in milliseconds; absent where its process is not on this host. */
  readonly cpuTime?: number;
  readonly vcpus: readonly VcpuStats[];
  /** Null if it does not run. */
  readonly memory: MemoryStats | null;
  readonly disks: readonly DiskStats[];
  /** TAP interfaces of this host. What QEMU does in user space (`-netdev user`, a socket) nobody counts. */
  readonly nets: readonly TapCounters[];
}

/** One vCPU that is plugged. Milliseconds; null where its thread is not on this host, or its kernel does not count. */
export interface VcpuStats {
  readonly vcpu: number;
  readonly cpuTime: number | null;
  /** How long it could have run, and waited for a CPU of the host: what the guest sees as steal. */
  readonly waitTime: number | null;
}

/** Memory, in bytes. */
export interface MemoryStats {
  /** What the machine gives its guest now; what it can at most. */
  readonly current: number;
  readonly max: number;
  /** What QEMU has in this host's RAM, for the guest and for itself; absent where that is not known. */
  readonly host?: number;
}

/** What QEMU counted at one disk or drive. Times in milliseconds. */
export interface DiskStats {
  readonly disk: string;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
  readonly flushes: number;
  readonly readTime: number;
  readonly writeTime: number;
  readonly flushTime: number;
  readonly failedReads: number;
  readonly failedWrites: number;
}

/** Reads them. @throws ConfigError; the signal's reason */
export async function domainStats(place: Place, options: ReadOptions = {}): Promise<DomainStats> {
  let blocks: readonly QueryBlockstatsItem[] | null = null;
  const { facts } = await readBoth(place, {
    ...options,
    readers: [readHostMemory],
    also: async (session) => void (blocks = await orNull(session.execute("query-blockstats"))),
  });
  const { live, state, why } = facts;
  const head = { name: place.name, state, at: new Date().toISOString(), ...(why === undefined ? {} : { reason: why }) };
  if (live === null) return { ...head, vcpus: [], memory: null, disks: [], nets: [] };
  const [vcpus, process, nets] = await Promise.all([
    Promise.all(live.vcpus.map(vcpuStats)),
    processStats(live.pid),
    live.pid === null ? [] : tapsOf(live.pid),
  ]);
  const memory = { current: memoryNow(live.memory) + (live.memory.virtioMem ?? 0), max: mostOf(live), ...hostRamOf(live) };
  return { ...head, ...process, vcpus, memory, disks: (blocks ?? []).flatMap(diskStats), nets };
}

function mostOf({ memory }: Live): number {
  return memory.size + (memory.virtioMem ?? 0);
}

async function processStats(pid: number | null): Promise<Pick<DomainStats, "pid" | "uptime" | "cpuTime">> {
  if (pid === null) return {};
  const cpuTime = processTimeOf(pid);
  return { pid, uptime: await uptimeOf(pid), ...(cpuTime === undefined ? {} : { cpuTime }) };
}

async function vcpuStats({ index, tid, affinity }: Vcpu): Promise<VcpuStats> {
  // A thread of another host: its number may be somebody else's here.
  const usage = affinity === null ? undefined : await usageOf(tid);
  const sched = usage === undefined ? null : schedStatOf(tid);
  // The scheduler's own count is finer than the ticks that all kernels have.
  const cpuTime = sched === null ? (usage?.cpuTime ?? null) : Math.round(sched.ran);
  return { vcpu: index, cpuTime, waitTime: sched === null ? null : Math.round(sched.waited) };
}

const MILLISECOND = 1e6;

/** The counters of a disk, of those that the guest has. */
export function diskStats({ device = "", qdev, "node-name": node, stats }: QueryBlockstatsItem): readonly DiskStats[] {
  const [disk] = diskNames({ qdev: qdev ?? null, device, node: node ?? null });
  // A node of its own, which no device shows the guest.
  if (disk === undefined) return [];
  const time = (nanoseconds: number | bigint): number => Math.round(Number(nanoseconds) / MILLISECOND);
  return [
    {
      disk,
      readBytes: Number(stats.rd_bytes),
      writtenBytes: Number(stats.wr_bytes),
      reads: Number(stats.rd_operations),
      writes: Number(stats.wr_operations),
      flushes: Number(stats.flush_operations),
      readTime: time(stats.rd_total_time_ns),
      writeTime: time(stats.wr_total_time_ns),
      flushTime: time(stats.flush_total_time_ns),
      failedReads: Number(stats.failed_rd_operations),
      failedWrites: Number(stats.failed_wr_operations),
    },
  ];
}
