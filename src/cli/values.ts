import type { LaunchConfig } from "../config/launch.ts";
import type { CompletionDomains } from "./completion-domains.ts";

/** Tells the shell to add file names. No verb, option or domain has this name. */
export const FILES = ":files";

/** What a line says around the word that is completed. */
export interface Surroundings {
  /** As much of the word as is typed. */
  readonly typed: string;
  /** The domain that the line names. */
  readonly domain: string | undefined;
  readonly domains: CompletionDomains;
  readonly verbs: readonly string[];
}

type Values = readonly string[];
type Offer = (around: Surroundings) => Values | Promise<Values>;

/** What is offered of a domain's config; nothing without one. */
function ofConfig(offer: (config: LaunchConfig, around: Surroundings) => Values | Promise<Values>): Offer {
  return async (around) => {
    const config = around.domain === undefined ? undefined : await around.domains.config(around.domain);
    return config === undefined ? [] : offer(config, around);
  };
}

const domainOrPath: Offer = ({ typed, domain, domains }) => {
  const isElsewhere = domains.isElsewhere || domain?.startsWith("ssh://") === true;
  return isPath(typed) ? (isElsewhere ? [] : [FILES]) : domains.names(typed);
};

const cpus: Offer = async ({ domain, domains }) => {
  const isElsewhere = domains.isElsewhere || domain?.startsWith("ssh://") === true;
  return ["all", ...(isElsewhere ? [] : numbers(0, (await import("node:os")).availableParallelism() - 1))];
};

/**
 * What is offered for values, by their kind: the word that a usage or the help has for them, or the `kind` of their declaration. For a kind
 * that is not here a shell offers nothing: its values are anybody's.
 */
export const KINDS_OF_VALUES: Readonly<Record<string, Offer>> = {
  DOMAIN: domainOrPath,
  "DOMAIN-OR-FILE": async (around) => [...(await domainOrPath(around)), FILES],
  FILE: () => [FILES],
  DIR: () => [FILES],
  PROGRAM: () => [FILES],
  URI: () => ["qemu:///system", "qemu:///session"],
  SHELL: () => ["bash", "fish", "zsh"],
  VERB: ({ verbs }) => verbs,
  "VERB,...": ({ typed, verbs }) => inList(typed, verbs),
  "PATTERN,...": async ({ typed, domains }) => inList(typed, await domains.names("")),
  CPULIST: cpus,
  POLICY: () => ["other", "batch", "idle", "fifo:1", "rr:1"],
  VCPU: ofConfig(({ vcpus }) => numbers(0, vcpus.max - 1)),
  VCPULIST: ofConfig(({ vcpus }) => numbers(0, vcpus.max - 1)),
  COUNT: ofConfig(({ vcpus }) => numbers(1, vcpus.max)),
  SIZE: ofConfig(async ({ memory }) => sizes(128, memory.max)),
  "MAX-SIZE": ofConfig(async ({ memory }, { domains }) =>
    sizes(memory.current / MIB, domains.isElsewhere ? 4 * memory.max : await ofHost()),
  ),
  "DIMM-SIZE": ofConfig(async ({ memory }) => sizes(128, (memory.hotplug?.limit ?? 0) - memory.max)),
  "RATE-SIZE": () => ["1MiB", "10MiB", "100MiB", "1GiB"],
  RATE: () => ["100", "500", "1000", "5000"],
  SECONDS: () => ["1", "10", "60"],
  TIME: () => ["10s", "30s", "1m", "5m", "1h", "8h"],
  MOMENT: () => ["07:00", "22:00"],
  "PERCENT%|none": () => ["50%", "100%", "150%", "200%", "none"],
  "N|default": () => ["50", "100", "200", "default"],
  IOTHREAD: ofConfig(iothreads),
  DISK: ofConfig(async ({ args }) => named((await import("../config/device-words.ts")).disksInArgs(args))),
  DRIVE: ofConfig(async (config) => named((await import("../config/drive-words.ts")).drivesInArgs(config))),
  DEVICE: ofConfig(async ({ args }) => (await import("../config/device-words-text.ts")).devicesInArgs(args).map(({ id }) => id)),
  ID: ofConfig(async ({ args }) => (await import("../config/memory-in-args.ts")).dimmsInArgs(args).map(({ id }) => id)),
  "VIRTIO-MEM": ofConfig(async ({ args }) => (await import("../config/memory-in-args.ts")).virtioMemsInArgs(args).map(({ id }) => id)),
  NODE: ofConfig(async ({ args }) => numbers(0, Math.max(1, (await import("../config/memory-in-args.ts")).numaNodes(args)) - 1)),
  LIMITS: async ({ typed }) => limits(typed, (await import("../config/disk-limits.ts")).LIMIT_KEYS),
  GROUP: ofConfig(({ disks }) => Object.values(disks?.throttle ?? {}).flatMap(({ group }) => (group === undefined ? [] : [group]))),
  EVENT: async () => (await import("./qmp-names.ts")).EVENTS,
  COMMAND: async () => (await import("./qmp-names.ts")).QUESTIONS,
  SCHEMA: async () => Object.keys((await import("./commands/schema.ts")).SCHEMAS),
  END: ({ domain, domains }) => (domain === undefined ? [] : domains.ends(domain)),
  OUTCOME: ({ domains }) => domains.outcomes(),
  PID: async () => {
    const { findProcesses } = await import("../host/processes.ts");
    const found = await findProcesses((commandLine) => /^[^\0]*qemu-(system-|kvm)/.test(commandLine));
    return found.map(({ pid }) => String(pid));
  },
};

/** What can stand for a value. Words with a bar between them, as `undo|keep`, are the values themselves, and so is a small word. */
export async function valuesOfKind(kind: string, around: Surroundings): Promise<Values> {
  if (Object.hasOwn(KINDS_OF_VALUES, kind)) return (await KINDS_OF_VALUES[kind]?.(around)) ?? [];
  return isWords(kind) ? kind.split("|").filter((word) => word !== "...") : [];
}

/** Whether the word for a value names the values. */
export function isWords(kind: string): boolean {
  return /^[a-z][a-z0-9-]*(\|([a-z][a-z0-9-]*|\.\.\.))*$/.test(kind);
}

const MIB = 2 ** 20;

function isPath(typed: string): boolean {
  return typed.includes("/") && !typed.startsWith("ssh:/");
}

function numbers(first: number, last: number): Values {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => String(first + index));
}

/** Round sizes, from so many MiB to so many bytes, and the most itself. */
async function sizes(least: number, most: number): Promise<Values> {
  const { formatSize } = await import("../config/size.ts");
  const all: number[] = [];
  for (let size = 2 ** Math.ceil(Math.log2(Math.max(1, least))) * MIB; size <= most; size *= 2) all.push(size);
  if (most > 0 && all.at(-1) !== most) all.push(most);
  return all.map(formatSize);
}

/** The RAM of this host, in whole GiB. */
async function ofHost(): Promise<number> {
  return Math.floor((await import("node:os")).totalmem() / 2 ** 30) * 2 ** 30;
}

/** Words that can stand as the last one of a list, behind those that it has. */
function inList(typed: string, words: Values): Values {
  const before = typed.slice(0, typed.lastIndexOf(",") + 1);
  const used = new Set(before.split(","));
  return words.filter((word) => !used.has(word)).map((word) => before + word);
}

/** The limits of a disk in one word: `iops=100,bps=10M`. A value is anybody's. */
function limits(typed: string, keys: Values): Values {
  const before = typed.slice(0, typed.lastIndexOf(",") + 1);
  const used = new Set(before.split(",").map((each) => each.split("=")[0]));
  const left = [...keys, "group"].filter((key) => !used.has(key)).map((key) => `${before}${key}=`);
  return before === "" ? [...left, "none"] : left;
}

function named(disks: readonly { readonly name: string | null }[]): Values {
  return disks.flatMap(({ name }) => (name === null ? [] : [name]));
}

/** The iothreads that the config makes, and those that it has something for. */
async function iothreads({ args, threads }: LaunchConfig): Promise<Values> {
  const { iothreadsIn } = await import("../config/iothread-words.ts");
  return [...new Set([...iothreadsIn(args).map(({ id }) => id), ...Object.keys(threads?.iothreads ?? {})])];
}
