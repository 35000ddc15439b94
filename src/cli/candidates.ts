import { availableParallelism } from "node:os";
import type { LaunchConfig } from "../config/launch.ts";
import type { CompletionDomains } from "./completion-domains.ts";
import { type Option, optionsOf } from "./options.ts";
import type { Verb } from "./verb.ts";

/** Tells the shell to add file names. No verb, option or domain has this name. */
export const FILES = ":files";

/** The words to complete with. */
export interface Vocabulary {
  readonly names: readonly string[];
  readonly load: (name: string) => Promise<Verb>;
  /** The verb that a word stands for, which may be an alias. */
  readonly verbOf: (word: string) => string | undefined;
  readonly domains: CompletionDomains;
}

/** How the last word of a command line (without the program) can go on, with `FILES` if files fit too. */
export async function candidates(words: readonly string[], vocabulary: Vocabulary): Promise<readonly string[]> {
  const typed = words.at(-1) ?? "";
  const all = await fitting(rejoined(words.slice(0, -1)), typed, vocabulary);
  return [...new Set(all)].filter((each) => each === FILES || each.startsWith(typed));
}

/** Bash splits `--timeout=5s` into three words. */
function rejoined(words: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1) ?? "";
    if (last.startsWith("--") && (word === "=" || last.endsWith("="))) joined.splice(-1, 1, last + word);
    else joined.push(word);
  }
  return joined;
}

async function fitting(
  before: readonly string[],
  typed: string,
  { names: known, load, verbOf, domains }: Vocabulary,
): Promise<readonly string[]> {
  // If options come first, what is the verb and what an operand is known of all verbs together: of which options have a value. If the verb
  // is the first word, all options are its own, and no other verb is loaded.
  const [first = ""] = before;
  const own = verbOf(first);
  const needed = own !== undefined ? [own] : before.some((word) => word.startsWith("-")) ? known : [];
  const loaded = new Map(await Promise.all(needed.map(async (name) => [name, await load(name)] as const)));
  const { verb: named, operands, open, named: filled, ended } = read(before, loaded, verbOf);
  const verb = named === undefined ? undefined : loaded.get(named);
  if (ended) return verb?.operands.verbatim === true ? [FILES] : [];
  const domain = filled.get("DOMAIN") ?? operands[0];
  if (open !== undefined) return open.fills === undefined ? valuesOf(open, domain, domains) : operandsLike(open.fills, domain, domains);
  if (named === "help") return operands.length > 0 ? [] : known;
  if (typed.startsWith("-"))
    return spellings(
      verb === undefined ? await Promise.all(known.map(load)) : [verb],
      verb === undefined ? (before.length === 0 ? [...HOSTS, "--version"] : ["--version"]) : [],
    );
  if (verb === undefined) return named === undefined ? [...known, "help", "version"] : [];
  const { names, many } = verb.operands;
  const left = names.filter((each) => !filled.has(each));
  const next = left[operands.length] ?? (many === true ? names.at(-1) : undefined);
  if (next === undefined) return demanded(verb);
  return next === names.at(-1) && verb.operands.words !== undefined ? verb.operands.words : operandsLike(next, domain, domains, typed);
}

interface Read {
  readonly verb: string | undefined;
  readonly operands: readonly string[];
  /** The option whose value comes next. */
  readonly open: Option | undefined;
  readonly named: ReadonlyMap<string, string>;
  /** Whether `--` was there. */
  readonly ended: boolean;
}

function read(before: readonly string[], verbs: ReadonlyMap<string, Verb>, verbOf: Vocabulary["verbOf"]): Read {
  const options = new Map<string, Option>();
  for (const [name, option] of [...verbs.values()].flatMap((each) => Object.entries(optionsOf(each)))) {
    for (const spelled of spelledOf(name, option)) options.set(spelled, option);
  }
  let [verb, open]: [string | undefined, Option | undefined] = [undefined, undefined];
  const [operands, named] = [[] as string[], new Map<string, string>()];
  for (const word of before) {
    if (open?.fills !== undefined) named.set(open.fills, word);
    if (open !== undefined) open = undefined;
    else if (word === "--") return { verb, operands, open, named, ended: true };
    else if (word.startsWith("-")) open = word.includes("=") || options.get(word)?.value === undefined ? undefined : options.get(word);
    else if (verb === undefined) verb = word === "help" ? word : (verbOf(word) ?? word);
    else operands.push(word);
  }
  return { verb, operands, open, named, ended: false };
}

function spelledOf(name: string, { short }: Option): readonly string[] {
  return short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`];
}

/** Options that stand in front of all others. */
const HOSTS: readonly string[] = [
  ...["--host", "--inventory", "--installed", "--remote-node"],
  ...["--at-once", "--stop-after", "--where-possible"],
];

function spellings(verbs: readonly Verb[], more: readonly string[]): readonly string[] {
  const all = verbs.flatMap((verb) => Object.entries(optionsOf(verb)));
  const options = all.flatMap(([name, { hidden }]) => (hidden === true ? [] : [`--${name}`]));
  return [...options, ...more];
}

/** The options of which a verb needs one: each of its usages ends with one. */
function demanded({ usage }: Verb): readonly string[] {
  const options = usage.map((line) => / (--[a-z]+)$/.exec(line)?.[1]);
  return options.every((option) => option !== undefined) ? options : [];
}

/** If the help has `undo|keep`, these are the values. Otherwise a value is any text, or a file. */
function valuesOf(
  { value = "" }: Option,
  domain: string | undefined,
  domains: CompletionDomains,
): readonly string[] | Promise<readonly string[]> {
  if (/^[a-z]+(\|[a-z]+)*$/.test(value)) return value.split("|");
  if (value === "PROGRAM") return [FILES];
  return value === "NAME" ? operandsLike("DOMAIN", domain, domains) : value === "VIRTIO-MEM" ? operandsLike(value, domain, domains) : [];
}

async function operandsLike(name: string, domain: string | undefined, domains: CompletionDomains, typed = ""): Promise<readonly string[]> {
  const isElsewhere = domains.isElsewhere || domain?.startsWith("ssh://") === true;
  const config = async (): Promise<LaunchConfig | undefined> => (domain === undefined ? undefined : domains.config(domain));
  switch (name) {
    case "DOMAIN":
      return isPath(typed) ? (isElsewhere ? [] : [FILES]) : domains.names(typed);
    case "FILE":
    case "DIR":
      return [FILES];
    case "DISK":
      return diskNames(await config());
    case "DEVICE":
      return deviceIds(await config());
    case "SHELL":
      return ["bash", "fish", "zsh"];
    case "CPULIST":
      return ["all", ...(isElsewhere ? [] : numbers(0, availableParallelism() - 1))];
    case "ID":
      return memoryIds(await config(), "dimmsInArgs");
    case "VIRTIO-MEM":
      return memoryIds(await config(), "virtioMemsInArgs");
    case "VCPULIST":
    case "VCPU":
      return numbers(0, ((await config())?.vcpus.max ?? 0) - 1);
    case "COUNT":
      return numbers(1, (await config())?.vcpus.max ?? 0);
    case "POLICY":
      return ["other", "batch", "idle", "fifo:1", "rr:1"];
    case "IOTHREAD":
      return iothreadsOf(await config());
    default:
      // A word that stands for itself.
      return /^[a-z]+$/.test(name) ? [name] : [];
  }
}

function isPath(typed: string): boolean {
  return typed.includes("/") && !typed.startsWith("ssh:/");
}

function numbers(first: number, last: number): readonly string[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => String(first + index));
}

/** The devices of the config that have an id. */
async function deviceIds(config: LaunchConfig | undefined): Promise<readonly string[]> {
  if (config === undefined) return [];
  const { devicesInArgs } = await import("../config/device-words-text.ts");
  return devicesInArgs(config.args).map(({ id }) => id);
}

/** The memory devices of the config, of one kind. */
async function memoryIds(config: LaunchConfig | undefined, kind: "dimmsInArgs" | "virtioMemsInArgs"): Promise<readonly string[]> {
  if (config === undefined) return [];
  return (await import("../config/memory-in-args.ts"))[kind](config.args).map(({ id }) => id);
}

/** The disks that the config has a name for. */
async function diskNames(config: LaunchConfig | undefined): Promise<readonly string[]> {
  if (config === undefined) return [];
  const { disksInArgs } = await import("../config/device-words.ts");
  return disksInArgs(config.args).flatMap(({ name }) => (name === null ? [] : [name]));
}

/** The iothreads that the config makes, and those that it has something for. */
async function iothreadsOf(config: LaunchConfig | undefined): Promise<readonly string[]> {
  if (config === undefined) return [];
  const { iothreadsIn } = await import("../config/iothread-words.ts");
  return [...new Set([...iothreadsIn(config.args).map(({ id }) => id), ...Object.keys(config.threads?.iothreads ?? {})])];
}
