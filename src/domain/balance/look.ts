import { HostError, messageOf } from "../../errors.ts";
import { memoryOfHost } from "../../host/host-memory.ts";
import type { HostMemory } from "../facts/host-part.ts";
import type { MemoryStatistics } from "../views/memstat.ts";
import type { Balanced } from "./balanced.ts";
import { eachOf } from "./each-of.ts";
import type { GuestObservation, GuestWord, HostObservation, Observation } from "./observation.ts";
import { about, MIB } from "./settings.ts";

/** How long each domain has to answer, in milliseconds. One that hangs must not keep the others waiting. */
const ANSWER = 2000;
/** How many are asked at once. */
const AT_ONCE = 32;
const PAGE = 4096;

/** The host's counters as they were at the last look. */
export interface HostBefore {
  readonly at: number;
  readonly pagesSwappedIn: number;
}

/** Looks at the host and at each of its domains. @throws HostError when the host does not tell its memory; the signal's reason */
export async function look(
  domains: readonly Balanced[],
  before: HostBefore | null,
  signal: AbortSignal | undefined,
): Promise<{ readonly seen: Observation; readonly host: HostBefore | null }> {
  const guests = await eachOf(domains, AT_ONCE, async (domain) => {
    try {
      return observationOf(domain.name, await domain.memory({ glance: true, timeout: ANSWER, signal }));
    } catch (error) {
      signal?.throwIfAborted();
      return unseen(domain.name, messageOf(error));
    }
  });
  const now = performance.now();
  const memory = memoryOfHost();
  if (memory === null) throw new HostError("/proc/meminfo does not say how much memory the host has available");
  const { total, available, pressure, pagesSwappedIn } = memory;
  const swapIn =
    before === null || pagesSwappedIn === null || now <= before.at
      ? null
      : ((pagesSwappedIn - before.pagesSwappedIn) * PAGE * 1000) / (now - before.at);
  const host: HostObservation = { total, available, pressure, swapIn };
  return { seen: { now, host, guests }, host: pagesSwappedIn === null ? null : { at: now, pagesSwappedIn } };
}

function unseen(name: string, why: string): GuestObservation {
  const nothing = { machine: null, limits: null, balloon: null, resident: null, word: null, period: null };
  return { name, state: "unreachable", why, ...nothing };
}

/** What a domain's statistics say, as far as it decides. Pure. */
export function observationOf(name: string, statistics: MemoryStatistics): GuestObservation {
  const { state, balloon, guest, host, limits, pid, why, until } = statistics;
  return {
    name,
    state,
    why,
    until,
    machine: pid ?? null,
    limits: limits ?? null,
    balloon: balloon === null ? null : { ...balloon, target: balloon.target ?? balloon.actual },
    resident: host?.resident ?? null,
    kept: host === undefined ? undefined : keptBy(host),
    word: guest === null ? null : wordOf(guest),
    period: guest?.period ?? null,
  };
}

function wordOf({ figures, at }: NonNullable<MemoryStatistics["guest"]>): GuestWord | null {
  const figure = (name: string): number | null => figures[name] ?? null;
  // An old kernel does not tell what is available. What is unused is less, and known.
  const available = figure("available-memory") ?? figure("free-memory");
  if (available === null) return null;
  return {
    ...{ at, available, swapIn: figure("swap-in"), swapOut: figure("swap-out") },
    ...{ majorFaults: figure("major-faults"), oomKills: figure("oom-kills") },
  };
}

/** Why the host gets nothing of what a guest gives back, where the kernel or QEMU says so. */
function keptBy({ keepers, locked, huge }: HostMemory): string | undefined {
  if (keepers !== undefined && keepers.length > 0) return `QEMU frees nothing while it has ${keepers.join(", ")} (VFIO)`;
  if (huge >= MIB) return `${about(huge)} of it are huge pages (hugetlbfs)`;
  return locked >= MIB ? `${about(locked)} of it are locked` : undefined;
}
