import type { CompletionDomains } from "./completion-domains.ts";
import { type Option, optionsOf } from "./options.ts";
import { FILES, valuesOfKind } from "./values.ts";
import type { Verb } from "./verb.ts";

export { FILES } from "./values.ts";

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
  const around = { typed, domain, domains, verbs: known };
  const values = (kind: string): Promise<readonly string[]> => valuesOfKind(kind, around);
  if (open !== undefined) return values(kindOf(verb, open));
  if (named === "help") return operands.length > 0 ? [] : known;
  const [, joined, start] = /^(--([^=]+)=)/.exec(typed) ?? [];
  if (joined !== undefined && verb !== undefined) {
    const option = optionsOf(verb)[start ?? ""];
    const offered =
      option?.value === undefined ? [] : await valuesOfKind(kindOf(verb, option), { ...around, typed: typed.slice(joined.length) });
    return offered.flatMap((value) => (value === FILES ? [] : [joined + value]));
  }
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
  return next === names.at(-1) && verb.operands.words !== undefined ? verb.operands.words : values(verb.operands.kinds?.[next] ?? next);
}

/** The kind of an option's value; that of an operand, if the option gives one by its name. */
function kindOf(verb: Verb | undefined, { kind, fills, value = "" }: Option): string {
  return kind ?? (fills === undefined ? value : (verb?.operands.kinds?.[fills] ?? fills));
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
    else if (word.startsWith("-")) {
      const [, name = word, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
      const option = options.get(name);
      if (value === undefined) open = option?.value === undefined ? undefined : option;
      else if (option?.fills !== undefined) named.set(option.fills, value);
    } else if (verb === undefined) verb = word === "help" ? word : (verbOf(word) ?? word);
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
