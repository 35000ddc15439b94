import { formatSize } from "../config/size.ts";
import { formatCpuList } from "../host/cpulist.ts";
import type { Change, Value } from "./change.ts";
import { type ReadOptions, readBoth } from "./inspect.ts";
import type { Place } from "./machine/place.ts";
import type { Facts, LiveFacts } from "./resource.ts";
import { ALL, pinOf } from "./vcpu-pin.ts";
import { pendingUnplug, stayingVcpus } from "./vcpus.ts";

/** One resource, side by side: what the config says, what QEMU says, what the guest says where it can be asked. */
export interface DiffRow {
  /** `memory`, `max-memory`, `vcpus`, `max-vcpus`, `vcpu-pin 0`. */
  readonly resource: string;
  readonly config: Value;
  readonly live: Value;
  readonly guest: Value;
  /** Why the sides differ; null when they agree, or there is only one. */
  readonly why: string | null;
}

/** Config, live and guest side by side, and why they differ. */
export async function diffDomain(place: Place, options: ReadOptions = {}): Promise<readonly DiffRow[]> {
  return diffOf((await readBoth(place, options)).facts);
}

/** See `diffDomain`; pure. */
export function diffOf(facts: Facts): readonly DiffRow[] {
  const { config, live } = facts;
  const row = (resource: string, ofConfig: Value, ofLive: Value, guest: Value, why: string | null): DiffRow => ({ resource, config: ofConfig, live: ofLive, guest, why });
  const memory = live === null ? null : (live.memory.actual ?? live.memory.size);
  return [
    row("memory", config?.memory.current ?? null, memory, live?.memory.guest?.total ?? null, whyMemory(facts)),
    row("max-memory", config?.memory.max ?? null, live?.memory.size ?? null, null, fixedAtStart(config?.memory.max, live?.memory.size)),
    row("vcpus", config?.vcpus.current ?? null, live?.vcpus.length ?? null, null, whyVcpus(facts)),
    row("max-vcpus", config?.vcpus.max ?? null, live?.maxVcpus ?? null, null, fixedAtStart(config?.vcpus.max, live?.maxVcpus)),
    ...pinRows(facts),
  ];
}

const CHANGED = "changed on one side only: `revert` makes live equal the config, `persist` the config equal live";

function fixedAtStart(config: number | undefined, live: number | undefined): string | null {
  return config === undefined || live === undefined || config === live ? null : "waits for the next start";
}

function whyMemory({ config, live, asked }: Facts): string | null {
  if (live === null) return null;
  const actual = live.memory.actual ?? live.memory.size;
  if (asked.balloonOr !== undefined) return `may wait for the guest: whether it was asked to go to ${formatSize(asked.balloonOr)}, as an interrupted change wanted, can't be known`;
  if (asked.balloon !== undefined && asked.balloon !== actual) return `waits for the guest: asked to go to ${formatSize(asked.balloon)}`;
  if (config === null || config.memory.current === actual) return null;
  if (live.memory.actual === null || config.memory.current > live.memory.size) return "waits for the next start";
  return CHANGED;
}

function whyVcpus(facts: Facts): string | null {
  const { config, live } = facts;
  if (live === null) return null;
  const pending = pendingUnplug({ ...facts, live });
  if (pending.length > 0) return `waits for the guest: asked to let go of vCPU ${pending.join(", ")}`;
  if (config === null || config.vcpus.current === live.vcpus.length) return null;
  return config.vcpus.current > live.maxVcpus ? "waits for the next start" : CHANGED;
}

function pinRows(facts: Facts): readonly DiffRow[] {
  const { config, live } = facts;
  const count = Math.max(config?.vcpus.max ?? 0, live?.maxVcpus ?? 0);
  return Array.from({ length: count }, (_, vcpu) => vcpu).flatMap((vcpu) => {
    const pin = config === null ? null : pinOf(config, vcpu);
    const mask = live === null ? null : liveMask(vcpu, { ...facts, live });
    const pinned = (pin !== null && pin !== ALL) || (mask !== null && mask !== ALL);
    if (!pinned) return [];
    return [{ resource: `vcpu-pin ${vcpu}`, config: pin, live: mask, guest: null, why: whyPin(vcpu, pin, mask, facts) }];
  });
}

function whyPin(vcpu: number, pin: Value, mask: string | null, { live }: Facts): string | null {
  if (live === null || pin === null || pin === mask) return null;
  if (mask === null) return vcpu < live.maxVcpus ? "applied when the vCPU is plugged" : "waits for the next start";
  return CHANGED;
}

/** A vCPU's live mask; `all` when it is no narrower than what it would have unpinned, and not what the config pins it to. Null when it has no thread here. */
export function liveMask(vcpu: number, { live, online, config }: LiveFacts): string | null {
  const affinity = live.vcpus.find((it) => it.index === vcpu)?.affinity ?? null;
  if (affinity === null || (config !== null && pinOf(config, vcpu) === affinity)) return affinity;
  const free = [online, live.mainAffinity].some((set) => set !== null && formatCpuList(set) === affinity);
  return free ? ALL : affinity;
}

/** The changes that make the live machine equal its config, as far as a running machine can be changed: the rest waits for the next start. */
export function changesToRevert(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  const { memory, vcpus } = config;
  const changes: Change[] = [];
  if (vcpus.current <= live.maxVcpus) changes.push({ resource: "vcpus", count: vcpus.current });
  if (live.memory.actual !== null && memory.current <= live.memory.size) changes.push({ resource: "memory", size: memory.current });
  for (const index of stayingVcpus({ ...facts, live }, vcpus.current)) {
    const [pin, mask] = [pinOf(config, index), liveMask(index, { ...facts, live })];
    // A vCPU that is about to leave needs no mask, and one that comes gets its own.
    if (mask !== null && pin !== mask) changes.push({ resource: "vcpu-pin", vcpu: index, cpus: String(pin) });
  }
  return changes;
}

/** The changes that make the config equal the live machine. */
export function changesToPersist(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  const pins = live.vcpus.flatMap(({ index }): Change[] => {
    const mask = liveMask(index, { ...facts, live });
    return mask === null || mask === pinOf(config, index) ? [] : [{ resource: "vcpu-pin", vcpu: index, cpus: mask }];
  });
  return [
    { resource: "max-memory", size: live.memory.size },
    { resource: "max-vcpus", count: live.maxVcpus },
    { resource: "memory", size: live.memory.actual ?? live.memory.size },
    { resource: "vcpus", count: live.vcpus.length },
    ...pins,
  ];
}
