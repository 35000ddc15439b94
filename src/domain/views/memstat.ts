import type { Session } from "../../qmp/session.ts";
import { hasEnds } from "../ends/record.ts";
import { orNull } from "../facts/answer.ts";
import { readPeriod } from "../facts/balloon-period.ts";
import { hasDriver, readBalloonTarget } from "../facts/balloon-target.ts";
import type { Facts } from "../facts/facts.ts";
import { glanceAtHostMemory, readHostMemory } from "../facts/host-memory.ts";
import type { HostMemory } from "../facts/host-part.ts";
import type { Live } from "../facts/live.ts";
import { readBoth } from "../facts/read.ts";
import type { Place } from "../machine/place.ts";
import type { MemoryOptions } from "../model/action.ts";
import type { DomainState } from "../model/change.ts";
import { ageOf } from "../resources/memory.ts";

/** What is known of a machine's memory: by its guest, by its balloon, by its host. */
export interface MemoryStatistics {
  readonly name: string;
  readonly state: DomainState;
  /** Null without a balloon device, or if the machine does not run. */
  readonly balloon: BalloonStatistics | null;
  /** Null if the guest has told nothing since QEMU was started. */
  readonly guest: GuestStatistics | null;
  /** What QEMU has of this host's memory; absent where that is not known. */
  readonly host?: HostMemory;
  /** Why the kernel does not tell it. */
  readonly hostDenied?: string;
  /** Why there is nothing of the guest, or nothing new. */
  readonly why?: string;
  /** The process of the QEMU that runs it; absent if it does not run on this host. */
  readonly pid?: number;
  /** What the config allows; absent without a config. */
  readonly limits?: MemoryLimits;
  /** ISO 8601, in UTC: until then it has this memory, by a change with an end, which takes it back then. Absent if there is none. */
  readonly until?: string;
}

/** Between what the guest's memory may be by the config, in bytes, DIMMs included. */
export interface MemoryLimits {
  /** `memory.min`; null if the config has none. */
  readonly min: number | null;
  readonly max: number;
}

/** The balloon, in bytes of what it leaves the guest. */
export interface BalloonStatistics {
  readonly actual: number;
  /** Null where that can't be known. */
  readonly target: number | null;
  /** What the guest has with an empty balloon. */
  readonly most: number;
}

/** The guest's own figures. */
export interface GuestStatistics {
  /**
   * By QEMU's names without `stat-`, as `free-memory`: bytes, and counts since the guest's boot. Null: the guest does not tell this one.
   */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Seconds since 1970 by the clock of QEMU's host, when the guest told them. */
  readonly at: number;
  /** How old they are, as far as that can be known: `asked every 5 s`. */
  readonly age: string;
  /** How often QEMU asks, in seconds of the machine's running time; 0: never. Null if QEMU does not say. */
  readonly period: number | null;
}

/** Reads them. @throws ConfigError; the signal's reason */
export async function memoryStatistics(place: Place, { glance = false, ...options }: MemoryOptions = {}): Promise<MemoryStatistics> {
  let asked: Asked = { said: null, driver: null, target: null };
  const also = async (session: Session, live: Live): Promise<void> => void (asked = await ask(session, live));
  const { facts, books } = await readBoth(place, { ...options, readers: [readPeriod, glance ? glanceAtHostMemory : readHostMemory], also });
  const until = hasEnds(books) ? await (await import("./ends.ts")).untilWhen("memory", books, facts) : null;
  return { ...statisticsOf(place.name, facts, asked), ...(until === null ? {} : { until }) };
}

/** What is asked besides what facts have. */
export interface Asked {
  /** The balloon's `guest-stats`. */
  readonly said: unknown;
  readonly driver: boolean | null;
  readonly target: number | null;
}

async function ask(session: Session, { memory: { balloon: path, size } }: Live): Promise<Asked> {
  if (path === null) return { said: null, driver: null, target: null };
  const [said, driver, target] = await Promise.all([
    orNull(session.execute("qom-get", { path, property: "guest-stats" })),
    hasDriver(session),
    readBalloonTarget(session, size),
  ]);
  return { said, driver, target };
}

/** See `memoryStatistics`; pure. */
export function statisticsOf(
  name: string,
  { state, live, asked: noted, why: silent, config }: Facts,
  { said, driver, target }: Asked,
): MemoryStatistics {
  const guest = live === null ? null : guestOf(live, said);
  const why = live === null ? silent : whyNothing(live, driver, guest);
  const balloon = live === null || live.memory.actual === null ? null : { actual: live.memory.actual, most: live.memory.size };
  return {
    name,
    state,
    balloon: balloon === null ? null : { ...balloon, target: target ?? noted.balloon ?? null },
    guest,
    ...(live?.host === undefined ? {} : { host: live.host }),
    ...(live?.hostDenied === undefined ? {} : { hostDenied: live.hostDenied }),
    ...(why === undefined ? {} : { why }),
    ...(live === null || live.pid === null ? {} : { pid: live.pid }),
    ...(config === null ? {} : { limits: { min: config.memory.min ?? null, max: config.memory.max + (live?.memory.dimms ?? 0) } }),
  };
}

/** QEMU gives 2^64-1 for what the guest does not tell. */
const UNTOLD = 2 ** 60;

function guestOf(live: Live, said: unknown): GuestStatistics | null {
  const { "last-update": last = 0, stats = {} } = (said ?? {}) as {
    readonly "last-update"?: number | bigint;
    readonly stats?: Readonly<Record<string, number | bigint>>;
  };
  if (Number(last) === 0) return null;
  const figures = Object.entries(stats).map(([name, value]) => [
    name.replace(/^stat-/, ""),
    Number(value) >= UNTOLD ? null : Number(value),
  ]);
  const period = live.period ?? null;
  return { figures: Object.fromEntries(figures), at: Number(last), age: ageOf(live, period), period };
}

function whyNothing({ memory, period, running }: Live, driver: boolean | null, guest: GuestStatistics | null): string | undefined {
  if (memory.balloon === null) return "the machine has no balloon device, so its guest tells nothing";
  if (driver === false) return "the guest has no driver for the balloon, or it is not up yet";
  if (period === 0) return "QEMU does not ask the guest: --period 5 has it asked every 5 s";
  return guest === null ? `the guest has not answered yet${running ? "" : ": it does not run"}` : undefined;
}
