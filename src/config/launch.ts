import { ConfigError, type ConfigIssue } from "./config-error.ts";
import { type DiskLimits, limitsOf, type LimitsText } from "./disk-limits.ts";
import { JsonTextError, parseJson, valueOf } from "./json.ts";
import { expectedAt, launchConfig, type LaunchFile } from "./launch-shape.ts";
import { misspelledKeys } from "./misspelled.ts";
import { ownedOptions } from "./owned.ts";
import { brokenRules } from "./rules.ts";
import { parseSize, parseSizeOrNone } from "./size.ts";
import { LEVELS } from "./topology.ts";

export { formatSize, parseSize } from "./size.ts";

/** How vCPUs are arranged, as far as it is given. The machine type completes the rest, so that the product is `vcpus.max`. */
export type Topology = { readonly [Level in (typeof LEVELS)[number]]?: number | undefined };

/** Linux CPU lists for QEMU's threads that are no vCPUs: its own, its iothreads by their ids, and those of vhost. */
export interface ThreadsConfig {
  readonly emulator?: string | undefined;
  readonly iothreads?: Readonly<Record<string, string>> | undefined;
  readonly vhost?: string | undefined;
  /** Scheduling policies of QEMU's own threads, and of its iothreads by their ids: `batch`, `idle`, `fifo:1`. */
  readonly emulatorSched?: string | undefined;
  readonly iothreadsSched?: Readonly<Record<string, string>> | undefined;
}

/** The share of the host's CPU time that QEMU with all of its threads may have, by a control group of its own. */
export interface CpuConfig {
  /** In percent of one CPU: `150%`. */
  readonly quota?: string | undefined;
  /** What it weighs against others that want the CPUs too: 1 to 10000, usually 100. */
  readonly weight?: number | undefined;
}

/** The image of a disk as its file is now, or why that is not known. Its size is that of the disk, in bytes. */
export type ImageFacts =
  | {
      readonly image: { readonly file: string; readonly format: string; readonly isDevice?: boolean };
      readonly size: number;
      readonly readOnly: boolean;
    }
  | { readonly why: string };

/** What a machine is started with. Sizes are in bytes. `vcpus.pin` maps a vCPU's number to a Linux CPU list. */
export interface LaunchConfig {
  readonly name: string;
  /**
   * The machine's identity, whatever its config is called: a UUID that `define` makes. QEMU carries it as a mark; the guest does not see
   * it.
   */
  readonly id?: string;
  /** The program: a name to look up in PATH, or an absolute path. */
  readonly emulator: string;
  readonly memory: {
    /** The RAM that the machine starts with, which is the most that its balloon can give back. DIMMs in `args` are added to it. */
    readonly max: number;
    /** What the balloon leaves of `max`. */
    readonly current: number;
    /** The lowest balloon target. */
    readonly min?: number;
    /** How often QEMU asks the guest for its figures of memory, in seconds of the machine's running time; 0: never. Absent: 5. */
    readonly period?: number;
    /**
     * Slots for DIMMs that are plugged later (0 is enough for virtio-mem), and the most memory that the machine can have with everything
     * plugged.
     */
    readonly hotplug?: { readonly slots: number; readonly limit: number };
    /** What virtio-mem devices are asked to give, by their ids. It counts before `requested-size` in `args`. */
    readonly plugged?: Readonly<Record<string, number>>;
  };
  readonly vcpus: {
    readonly max: number;
    /** How many vCPUs it starts with, including those that `args` plug (`-device …-cpu`). */
    readonly current: number;
    /**
     * Which vCPUs it starts with, as a list (`0,3`), where they are not those from vCPU 0 on. `current` is how many these are, then.
     */
    readonly online?: string;
    readonly topology?: Topology;
    readonly pin: Readonly<Record<string, string>>;
    /** Scheduling policies, by the vCPU's number: `batch`, `idle`, `fifo:1`. */
    readonly sched?: Readonly<Record<string, string>>;
  };
  /** For QEMU's threads that are no vCPUs. */
  readonly threads?: ThreadsConfig;
  /** `throttle`: the limits of disks, by the names of the disks. */
  readonly disks?: { readonly throttle?: Readonly<Record<string, DiskLimits>> | undefined };
  /** What the images of its disks are, by the names of the disks. Not in its file: only where somebody looked. */
  readonly images?: Readonly<Record<string, ImageFacts>>;
  readonly cpu?: CpuConfig;
  /** QEMU's own words for everything else, unchanged. */
  readonly args: readonly string[];
  /**
   * The absolute path of the Unix socket at which QEMU listens for those who talk to the agent in the guest: the host's end of its channel,
   * which `args` make.
   */
  readonly agent?: string;
  /** The absolute path of one more QMP socket, for the user's own tools. */
  readonly monitor?: string;
}

/** The longest text of a config, in bytes. */
export const TEXT_LIMIT: number = 1024 * 1024;
const MIB = 1024 ** 2;

/**
 * Reads a launch config. `path` is for messages only. Unknown keys are left alone: a newer version may have written them.
 *
 * @throws ConfigError (`invalid`), with everything that is wrong in it, when it is not JSON or not a launch config
 */
export function parseLaunchConfig(text: string, path: string): LaunchConfig {
  const raw = readValue(text, path);
  const shape = launchConfig.fits(raw) ? [] : launchConfig.faults(raw, []).map((fault) => issueAt(fault.path, raw));
  const issues = onePerPlace([
    ...misspelledKeys(raw, launchConfig),
    ...shape,
    ...brokenRules(raw),
    ...ownedOptions(wordsOf(raw)),
    ...prototypes(raw),
  ]);
  if (!launchConfig.fits(raw) || issues.length > 0) throw new ConfigError(path, "invalid", issues);
  return inBytes(raw);
}

function readValue(text: string, path: string): unknown {
  if (text.length > TEXT_LIMIT) throw new ConfigError(path, "invalid", `larger than ${TEXT_LIMIT / MIB} MiB, and no launch config is`);
  try {
    return valueOf(parseJson(text));
  } catch (cause) {
    if (cause instanceof JsonTextError) throw new ConfigError(path, "invalid", cause.message, { cause });
    throw cause;
  }
}

/** No config has such a key, and it can mislead programs that read one carelessly. */
function prototypes(value: unknown, at: readonly string[] = []): readonly ConfigIssue[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => {
    const path = [...at, key];
    return key === "__proto__" ? [{ path: path.join("."), value: each, expected: "no such key" }] : prototypes(each, path);
  });
}

/** Keeps the first issue of each place. */
function onePerPlace(issues: readonly ConfigIssue[]): readonly ConfigIssue[] {
  const seen = new Set<string>();
  return issues.filter(({ path }) => path === "args" || (!seen.has(path) && seen.add(path)));
}

function issueAt(keys: readonly (string | number)[], raw: unknown): ConfigIssue {
  const path = keys.join(".");
  const value = keys.reduce<unknown>((from, key) => (from as Readonly<Record<string, unknown>> | null | undefined)?.[key], raw);
  return { path, value, expected: expectedAt(path, value) };
}

/** The words of `args`, as far as they are words, so that wrong options are named even if something else is wrong too. */
function wordsOf(raw: unknown): readonly string[] {
  const args = (raw as { readonly args?: unknown } | null)?.args;
  return Array.isArray(args) ? args.filter((each) => typeof each === "string") : [];
}

/** Only what we know of it: a key of a newer version means nothing here. */
function inBytes({ name, id, emulator, memory, vcpus, threads, disks, cpu, args = [], monitor, agent }: LaunchFile): LaunchConfig {
  const { min, period, hotplug, plugged } = memory;
  const { max, current, online, topology, pin = {}, sched } = vcpus;
  return {
    name,
    emulator,
    memory: {
      max: parseSize(memory.max),
      current: parseSize(memory.current),
      ...(min === undefined ? {} : { min: parseSize(min) }),
      ...(period === undefined ? {} : { period }),
      ...(hotplug === undefined ? {} : { hotplug: { slots: hotplug.slots, limit: parseSize(hotplug.limit) } }),
      ...(plugged === undefined ? {} : { plugged: sizesIn(plugged) }),
    },
    vcpus: {
      max,
      current,
      pin,
      ...(online === undefined ? {} : { online }),
      ...(topology === undefined ? {} : { topology: levelsOf(topology) }),
      ...(sched === undefined ? {} : { sched }),
    },
    ...(threads === undefined ? {} : { threads: threadsOf(threads) }),
    ...(disks?.throttle === undefined ? {} : { disks: { throttle: throttleOf(disks.throttle) } }),
    ...(cpu === undefined ? {} : { cpu: shareOf(cpu) }),
    args,
    ...(monitor === undefined ? {} : { monitor }),
    ...(agent === undefined ? {} : { agent }),
    ...(id === undefined ? {} : { id }),
  };
}

function threadsOf({ emulator, iothreads, vhost, emulatorSched, iothreadsSched }: ThreadsConfig): ThreadsConfig {
  const known = Object.entries({ emulator, iothreads, vhost, emulatorSched, iothreadsSched });
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
}

function throttleOf(limits: Readonly<Record<string, LimitsText>>): Readonly<Record<string, DiskLimits>> {
  return Object.fromEntries(Object.entries(limits).map(([disk, each]) => [disk, limitsOf(each)]));
}

function sizesIn(texts: Readonly<Record<string, string>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(texts).map(([id, text]) => [id, parseSizeOrNone(text)]));
}

function levelsOf(topology: Topology): Topology {
  return Object.fromEntries(LEVELS.flatMap((name) => (topology[name] === undefined ? [] : [[name, topology[name]]])));
}

function shareOf({ quota, weight }: NonNullable<LaunchFile["cpu"]>): CpuConfig {
  return { ...(quota === undefined ? {} : { quota }), ...(weight === undefined ? {} : { weight }) };
}
