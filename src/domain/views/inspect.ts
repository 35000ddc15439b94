import { ConfigError } from "../../config/config-error.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { dimmMemory, plannedMemory, virtioMemsInArgs } from "../../config/memory-in-args.ts";
import { ownUid } from "../../config/own-user.ts";
import type { StatePaths } from "../../config/runtime.ts";
import type { Stored } from "../../config/store.ts";
import { messageOf } from "../../errors.ts";
import { statusAt } from "../../file-status.ts";
import { usageOf } from "../../host/thread-usage.ts";
import { uptimeOf } from "../../host/uptime.ts";
import { whereRecordsAre } from "../change/record-places.ts";
import { hasEnds } from "../ends/record.ts";
import type { Facts } from "../facts/facts.ts";
import { type GuestWord, onlineInGuest } from "../facts/guest-half.ts";
import { hostRamOf } from "../facts/host-ram.ts";
import { memoryNow } from "../facts/live-memory.ts";
import { type Live, roomForVcpus } from "../facts/live.ts";
import { virtioMemsIn } from "../facts/memory-devices.ts";
import { type FactsOptions, readBoth } from "../facts/read.ts";
import { type Ended, endOf } from "../lifecycle/ended.ts";
import type { Place } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import type { DomainState } from "../model/change.ts";
import { shellWord } from "../model/format.ts";
import { remarkOn } from "../model/run-state.ts";
import { isEnabled, unitPlace } from "../supervise/unit-file.ts";
import type { EndsInfo } from "./ends.ts";

/** What a domain has, on one side. Bytes and counts; null where it is not known. */
export interface Allocation {
  readonly memory: number | null;
  readonly maxMemory: number | null;
  readonly vcpus: number | null;
  /** Null also of a running machine that can't plug vCPUs: it does not show what it was started with. */
  readonly maxVcpus: number | null;
  /** Where there are some: DIMMs, which `memory` and `maxMemory` have in them, and what virtio-mem gives besides. */
  readonly dimms?: number;
  readonly virtioMem?: number;
  /** Of the running machine, what virtio-mem is asked to give, where that is not `virtioMem`. */
  readonly virtioMemTarget?: number;
  /** What QEMU has in this host's RAM, for the guest and for itself: its Rss, and huge pages. Absent where that is not known. */
  readonly host?: number;
}

/** What there is to say of a domain in short. */
export interface DomainInfo extends EndsInfo {
  readonly name: string;
  /** `damaged`, `unsafe`: nothing can be said of it, since its config can't be read, or is not to be trusted. */
  readonly state: DomainState | "damaged" | "unsafe";
  /** QEMU's own word for the state of its machine, as `prelaunch`; absent where no QEMU answers. */
  readonly status?: string;
  /** Known by its monitor only, without a config. */
  readonly transient: boolean;
  readonly pid?: number;
  /**
   * Why it is unreachable, or its config can't be read; of a machine that neither runs nor is simply paused, what it does and what leads
   * on.
   */
  readonly reason?: string;
  readonly emulator?: string;
  /** QEMU's version, as `10.0.13`. */
  readonly version?: string;
  readonly config?: Allocation;
  readonly live?: Allocation;
  /** What the guest itself says, by the agent that the config names; absent without one, or where the machine does not run. */
  readonly guest?: GuestInfo;
  readonly configPath?: string;
  /** When and why its last QEMU ended, as far as anybody can know. `at` is ISO 8601. */
  readonly ended?: Ended;
  /** A change of it was interrupted, and waits to be settled by `recover`: which, and how both halves stand. */
  readonly interrupted?: string;
  /** Milliseconds since its process was started. */
  readonly uptime?: number;
  /** It starts with the host, by a unit of `autostart`; absent where it does not. */
  readonly autostart?: boolean;
}

/** What a guest says of itself. */
export interface GuestInfo {
  /** The vCPUs, and the memory in bytes, that it has online; null where it has no word for that. */
  readonly vcpus: number | null;
  readonly memory: number | null;
  /** Why it says nothing: it does not run, or its agent does not, or is silent or frozen. Then nothing is known of the rest. */
  readonly unknown?: string;
}

/** One vCPU that the domain has or could have. */
export interface VcpuInfo {
  readonly vcpu: number;
  readonly online: boolean;
  readonly tid: number | null;
  /** Its thread's name, as `CPU 1/KVM`. */
  readonly name: string | null;
  /** The host CPU that it last ran on. */
  readonly cpu: number | null;
  /** Milliseconds of CPU time used. */
  readonly cpuTime: number | null;
  /** The live mask, and the config's pin: Linux CPU lists. */
  readonly affinity: string | null;
  readonly pin: string | null;
}

/** A domain in short. A config that can't be read is told as the reason. `readers`: what to read besides, of what is told here. */
export async function inspectDomain(place: Place, options: ReadOptions & Pick<FactsOptions, "readers"> = {}): Promise<DomainInfo> {
  const { stored, machine, books, facts } = await readBoth(place, options);
  const { live } = facts;
  const pid = live?.pid ?? machine?.pid ?? null;
  const why = facts.why ?? (live === null ? null : remarkOn(live.status, shellWord(place.name)));
  const interrupted = await interruptionOf(place, books, facts, stored);
  const ended = machine === null && place.config !== null ? await endOf(books) : null;
  const ends = hasEnds(books) ? await (await import("./ends.ts")).endsInfo(books) : {};
  return {
    name: place.name,
    state: facts.state,
    ...(live === null ? {} : { status: live.status }),
    transient: stored === null,
    ...(pid === null ? {} : { pid, uptime: await uptimeOf(pid) }),
    ...(why === null ? {} : { reason: why }),
    ...(interrupted === null ? {} : { interrupted }),
    ...(ended === null ? {} : { ended }),
    ...(stored === null ? {} : { emulator: stored.config.emulator, config: configAllocation(stored.config), configPath: stored.path }),
    ...(live === null ? {} : { version: live.version.text, live: liveAllocation(live) }),
    ...(live?.guest === undefined ? {} : { guest: ofGuest(live.guest) }),
    ...ends,
    ...(stored !== null && startsWithHost(place, stored) ? { autostart: true } : {}),
  };
}

function startsWithHost({ units }: Place, { config, path }: Stored): boolean {
  return isEnabled(unitPlace(units, ownUid() === 0, config.name), path);
}

function ofGuest(word: GuestWord): GuestInfo {
  return "unknown" in word ? { vcpus: null, memory: null, ...word } : { vcpus: onlineInGuest(word), memory: word.memory };
}

/** Told without the lock: a record whose writer lives is of a change that is under way. */
async function interruptionOf(place: Place, books: StatePaths, facts: Facts, stored: Stored | null): Promise<string | null> {
  const places = await whereRecordsAre(place, books, stored);
  if (places.every(({ journal }) => statusAt(journal) === undefined)) return null;
  // It may be about any resource, so all of them are loaded: not for a machine of which nothing was interrupted.
  const { interruption } = await import("./interruption.ts");
  return interruption(place, books, facts, stored);
}

/** What a config gives. */
export function configAllocation({ memory, vcpus, args }: LaunchConfig): Allocation {
  const dimms = dimmMemory(args);
  const virtioMem = virtioMemsInArgs(args).reduce((sum, { id, requested }) => sum + (memory.plugged?.[id] ?? requested), 0);
  return {
    memory: plannedMemory({ memory, args }),
    maxMemory: memory.max + dimms,
    vcpus: vcpus.current,
    maxVcpus: vcpus.max,
    ...(dimms === 0 ? {} : { dimms }),
    ...(virtioMem === 0 ? {} : { virtioMem }),
  };
}

/** What a running machine has. */
export function liveAllocation(live: Live): Allocation {
  const { memory, vcpus } = live;
  const target = virtioMemsIn(memory.devices).reduce((sum, { resizable }) => sum + resizable.target, 0);
  return {
    memory: memoryNow(memory),
    maxMemory: memory.size,
    vcpus: vcpus.length,
    maxVcpus: roomForVcpus(live),
    ...(memory.virtioMem === undefined ? {} : { virtioMem: memory.virtioMem }),
    ...(target === (memory.virtioMem ?? 0) ? {} : { virtioMemTarget: target }),
    ...(memory.dimms === undefined ? {} : { dimms: memory.dimms }),
    ...hostRamOf(live),
  };
}

/** Every vCPU that either side knows of, in order. */
export async function inspectVcpus(place: Place, options: ReadOptions = {}): Promise<readonly VcpuInfo[]> {
  const { stored, facts } = await readBoth(place, options);
  const count = Math.max(stored?.config.vcpus.max ?? 0, facts.live?.maxVcpus ?? 0);
  return Promise.all(Array.from({ length: count }, (_, vcpu) => inspectVcpu(vcpu, facts)));
}

async function inspectVcpu(vcpu: number, { live, config }: Facts): Promise<VcpuInfo> {
  const plugged = live?.vcpus.find((it) => it.index === vcpu);
  const usage = plugged === undefined || live?.pid === null ? undefined : await usageOf(plugged.tid);
  return {
    vcpu,
    online: plugged !== undefined,
    tid: plugged?.tid ?? null,
    name: usage?.name ?? null,
    cpu: usage?.cpu ?? null,
    cpuTime: usage?.cpuTime ?? null,
    affinity: plugged?.affinity ?? null,
    pin: config?.vcpus.pin[String(vcpu)] ?? null,
  };
}

/** A domain that could not even be looked at, for lists: one broken config does not hide the others. */
export function unreadable(name: string, error: unknown): DomainInfo {
  const problem = error instanceof ConfigError ? error.problem : undefined;
  return {
    name,
    state: problem === "invalid" ? "damaged" : problem === "unsafe" ? "unsafe" : "unreachable",
    transient: false,
    reason: messageOf(error),
  };
}
