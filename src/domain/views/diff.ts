import type { LaunchConfig } from "../../config/launch.ts";
import { formatSize } from "../../config/size.ts";
import { formatCpuList } from "../../host/cpulist.ts";
import { orNull } from "../facts/answer.ts";
import type { Facts, LiveFacts } from "../facts/facts.ts";
import { type LiveMemory, memoryNow, startMemory } from "../facts/live-memory.ts";
import { type Live, roomForVcpus } from "../facts/live.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import type { Value } from "../model/change.ts";
import { runStateOf } from "../model/run-state.ts";
import type { Change, Resource } from "../resources/registry.ts";
import { ALL, pinOf } from "../resources/vcpu-pin.ts";
import { pendingUnplug, stayingVcpus } from "../resources/vcpus.ts";

/** One resource, side by side: what the config says, what QEMU says, what the guest says where it can be asked. */
export interface DiffRow {
  /** `memory`, `max-memory`, `vcpus`, `max-vcpus`, `vcpu-pin 0`. */
  readonly resource: string;
  readonly config: Value;
  readonly live: Value;
  readonly guest: Value;
  /** Why the sides differ; null when they agree, or there is only one. */
  readonly why: string | null;
  /** Of when the guest's word is, as `asked every 5 s`; absent where it has said nothing. */
  readonly guestAge?: string;
}

/** Config, live and guest side by side, and why they differ. */
export async function diffDomain(place: Place, options: ReadOptions = {}): Promise<readonly DiffRow[]> {
  let every: number | null = null;
  const { facts } = await readBoth(place, options, async (session, { memory: { balloon, guest } }) => {
    if (balloon === null || guest === null) return;
    every = Number(await orNull(session.execute("qom-get", { path: balloon, property: "guest-stats-polling-interval" })));
  });
  return diffOf(facts, every);
}

/**
 * See `diffDomain`; pure. `every`: how often QEMU asks the guest for its figures, in seconds of its running time; null where that is not
 * known.
 */
export function diffOf(facts: Facts, every: number | null = null): readonly DiffRow[] {
  const { config, live } = facts;
  const row = (resource: string, ofConfig: Value, ofLive: Value, guest: Value, why: string | null): DiffRow => ({
    resource,
    config: ofConfig,
    live: ofLive,
    guest,
    why,
  });
  const guest = live?.memory.guest?.total ?? null;
  const start = live === null ? undefined : startMemory(live.memory);
  const most = live === null ? undefined : roomForVcpus(live);
  return [
    {
      ...row("memory", config?.memory.current ?? null, live === null ? null : memoryNow(live.memory), guest, whyMemory(facts)),
      ...(live === null || guest === null ? {} : { guestAge: ageOf(live, every) }),
    },
    row("max-memory", config?.memory.max ?? null, start ?? null, null, fixedAtStart(config?.memory.max, start)),
    row("vcpus", config?.vcpus.current ?? null, live?.vcpus.length ?? null, null, whyVcpus(facts)),
    row("max-vcpus", config?.vcpus.max ?? null, most ?? null, null, fixedAtStart(config?.vcpus.max, most ?? undefined)),
    ...pinRows(facts),
  ];
}

/**
 * How it came to be known, and no age: QEMU asks by the time that the machine runs, so what was said before a pause, or by a guest that
 * hangs since, can be of any age, and
 * no clock tells (measured: 20 s after 14 s of suspend).
 */
function ageOf({ running, status }: Live, every: number | null): string {
  if (!running) return `from before it ${runStateOf(status).is.replace(/^is /, "was ")}`;
  return every !== null && every > 0 ? `asked every ${every} s` : "of an unknown age: QEMU does not ask the guest";
}

const CHANGED = "changed on one side only: `revert` makes live equal the config, `persist` the config equal live";

function fixedAtStart(config: number | undefined, live: number | undefined): string | null {
  return config === undefined || live === undefined || config === live ? null : "waits for the next start";
}

/**
 * Whether config and machine are of one mind: by the number, or both with all of the memory that there is: DIMMs come on top, and are no
 * business of the config's sizes.
 */
function hasAll({ memory }: LaunchConfig, live: LiveMemory): boolean {
  return memory.current === memory.max && memory.max === startMemory(live);
}

function whyMemory({ config, live, asked }: Facts): string | null {
  if (live === null) return null;
  const actual = memoryNow(live.memory);
  if (asked.balloonOr !== undefined)
    return `may wait for the guest: whether it was asked to go to ${formatSize(asked.balloonOr)}, as an interrupted change wanted, can't be known`;
  if (asked.balloon !== undefined && asked.balloon !== actual) return `waits for the guest: asked to go to ${formatSize(asked.balloon)}`;
  if (config === null || config.memory.current === actual || (hasAll(config, live.memory) && actual === live.memory.size)) return null;
  if (live.memory.actual === null || config.memory.current > live.memory.size) return "waits for the next start";
  return CHANGED;
}

function whyVcpus(facts: Facts): string | null {
  const { config, live } = facts;
  if (live === null) return null;
  const pending = pendingUnplug({ ...facts, live });
  if (pending.length > 0) return `waits for the guest: asked to let go of vCPU ${pending.join(", ")}`;
  if (config === null || config.vcpus.current === live.vcpus.length) return null;
  return live.slots.length === 0 || config.vcpus.current > live.maxVcpus ? "waits for the next start" : CHANGED;
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
  const inherited = pin === ALL && live.mainAffinity !== null && formatCpuList(live.mainAffinity) === mask;
  return inherited
    ? `inherited from its QEMU, which was started on CPU ${mask} (as taskset does): \`revert\` gives it all, \`persist\` pins it there`
    : CHANGED;
}

/**
 * A vCPU's live mask; `all` when it is no narrower than what it would have unpinned, and not what the config pins it to. Null when it has
 * no thread here.
 */
export function liveMask(vcpu: number, { live, online, config }: LiveFacts): string | null {
  const affinity = live.vcpus.find((it) => it.index === vcpu)?.affinity ?? null;
  if (affinity === null || (config !== null && pinOf(config, vcpu) === affinity)) return affinity;
  // What a cpuset gives is all that there is; a mask that QEMU was started with is not.
  const free = [online, live.mayUse ?? live.mainAffinity].some((set) => set !== null && formatCpuList(set) === affinity);
  return free ? ALL : affinity;
}

/**
 * The changes that make the live machine equal its config, as far as a running machine can be changed: the rest waits for the next start.
 */
export function changesToRevert(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  const { memory, vcpus } = config;
  const changes: Change[] = [];
  if (vcpus.current <= live.maxVcpus && live.slots.length > 0) changes.push({ resource: "vcpus", count: vcpus.current });
  if (live.memory.actual !== null && memory.current <= live.memory.size)
    changes.push({ resource: "memory", size: hasAll(config, live.memory) ? live.memory.size : memory.current });
  for (const index of stayingVcpus({ ...facts, live }, vcpus.current)) {
    const [pin, mask] = [pinOf(config, index), liveMask(index, { ...facts, live })];
    // A vCPU that is about to leave needs no mask, and one that comes gets its own.
    if (mask !== null && pin !== mask) changes.push({ resource: "vcpu-pin", vcpu: index, cpus: String(pin) });
  }
  return changes;
}

/** The changes that make one side equal the other, of one resource where one is named. */
export function changesOf(
  changes: (facts: Facts) => readonly Change[],
  resource: Resource | undefined,
): (facts: Facts) => readonly Change[] {
  return resource === undefined ? changes : (facts) => changes(facts).filter((change) => change.resource === resource);
}

/** The changes that make the config equal the live machine. */
export function changesToPersist(facts: Facts): readonly Change[] {
  const { config, live } = facts;
  if (config === null || live === null) return [];
  const pins = live.vcpus.flatMap(({ index }): Change[] => {
    const mask = liveMask(index, { ...facts, live });
    return mask === null || mask === pinOf(config, index) ? [] : [{ resource: "vcpu-pin", vcpu: index, cpus: mask }];
  });
  const [start, now, most] = [startMemory(live.memory), memoryNow(live.memory), roomForVcpus(live)];
  return [
    { resource: "max-memory", size: start },
    ...(most === null ? [] : [{ resource: "max-vcpus", count: most } as const]),
    // Of DIMMs besides, the next start has those that args bring: all stays all, and no start has more than its own.
    { resource: "memory", size: now === live.memory.size ? start : Math.min(now, start) },
    { resource: "vcpus", count: live.vcpus.length },
    ...pins,
  ];
}
