import type { LaunchConfig } from "../config/launch.ts";
import { usageOf } from "../host/thread-usage.ts";
import { messageOf } from "../errors.ts";
import type { DomainState } from "./change.ts";
import { factsOf, factsWithout, findFor, readStored } from "./facts.ts";
import { describe, interruptedFrom } from "./interrupted.ts";
import { isUnderWay, readJournal } from "./journal.ts";
import type { Live } from "./live.ts";
import { openReader, type Present } from "./machine/find.ts";
import { uptimeOf } from "../host/uptime.ts";
import type { Place } from "./machine/place.ts";
import { whyStopped } from "./pulse.ts";
import type { Facts } from "./resource.ts";
import type { Stored } from "../config/store.ts";

/** Options of everything that only looks. `timeout` is for reaching the monitor, in milliseconds. */
export interface ReadOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/** What a domain has, on one side. Bytes and counts; null where it is not known. */
export interface Allocation {
  readonly memory: number | null;
  readonly maxMemory: number | null;
  readonly vcpus: number | null;
  readonly maxVcpus: number | null;
}

/** What there is to say of a domain in short. */
export interface DomainInfo {
  readonly name: string;
  readonly state: DomainState;
  /** Known by its monitor only, without a config. */
  readonly transient: boolean;
  readonly pid?: number;
  /** Why it is unreachable, or its config can't be read. */
  readonly reason?: string;
  readonly emulator?: string;
  /** QEMU's version, as `10.0.13`. */
  readonly version?: string;
  readonly config?: Allocation;
  readonly live?: Allocation;
  readonly configPath?: string;
  /** A change of it was interrupted, and waits to be settled by `recover`: which, and how both halves stand. */
  readonly interrupted?: string;
  /** Milliseconds since its process was started. */
  readonly uptime?: number;
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

/** Both sides of a domain, read once. A machine that does not answer is a state, not an error. */
export interface Both {
  readonly stored: Stored | null;
  readonly present: Present | null;
  readonly facts: Facts;
}

/** Reads both sides of a domain without locking it. @throws ConfigError */
export async function readBoth(place: Place, options: ReadOptions = {}): Promise<Both> {
  const stored = await readStored(place);
  const present = await findFor(place, stored);
  if (present === null) return { stored, present, facts: await factsWithout(stored) };
  try {
    await using session = await openReader(place, present, options);
    return { stored, present, facts: await factsOf(place, stored, session, present.pid) };
  } catch (error) {
    options.signal?.throwIfAborted();
    // It may have ended while we asked: then it is stopped, not unreachable.
    if (place.address === null && (await findFor(place, stored)) === null) return { stored, present: null, facts: await factsWithout(stored) };
    return { stored, present, facts: await factsWithout(stored, (await whyStopped(present.pid)) ?? error) };
  }
}

/** A domain in short. A config that can't be read is told as the reason. */
export async function inspectDomain(place: Place, options: ReadOptions = {}): Promise<DomainInfo> {
  const { stored, present, facts } = await readBoth(place, options);
  const { live } = facts;
  const pid = live?.pid ?? present?.pid ?? null;
  const interrupted = await interruptionOf(place, facts, stored);
  return {
    name: place.name,
    state: facts.state,
    transient: stored === null,
    ...(pid === null ? {} : { pid, uptime: await uptimeOf(pid) }),
    ...(facts.why === undefined ? {} : { reason: facts.why }),
    ...(interrupted === null ? {} : { interrupted }),
    ...(stored === null ? {} : { emulator: stored.config.emulator, config: ofConfig(stored.config), configPath: stored.path }),
    ...(live === null ? {} : { version: live.version.text, live: ofLive(live) }),
  };
}

/** Told without the lock: a record whose writer lives is of a change that is under way. */
async function interruptionOf(place: Place, facts: Facts, stored: Stored | null): Promise<string | null> {
  const journal = await readJournal(place).catch(messageOf);
  if (typeof journal === "string") return journal;
  if (journal === null || (await isUnderWay(journal))) return null;
  return describe(await interruptedFrom(place.name, journal, facts, stored?.text ?? null));
}

function ofConfig({ memory, vcpus }: LaunchConfig): Allocation {
  return { memory: memory.current, maxMemory: memory.max, vcpus: vcpus.current, maxVcpus: vcpus.max };
}

function ofLive({ memory, vcpus, maxVcpus }: Live): Allocation {
  return { memory: memory.actual ?? memory.size, maxMemory: memory.size, vcpus: vcpus.length, maxVcpus };
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
  return { name, state: "unreachable", transient: false, reason: messageOf(error) };
}
