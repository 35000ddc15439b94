import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { qemuWords } from "./qemu-words.ts";

/** One option of a verb. */
export interface Option {
  readonly about: string;
  /** The word for its value in the help, such as `TIME`. If it is absent, the option is a flag. */
  readonly value?: string;
  /** The kind of its value, where a shell is to complete something else than `value` says: see values.ts. */
  readonly kind?: string;
  readonly short?: string;
  /** This option is another name of that one. With a `value`: it is that one if it has this value. */
  readonly alias?: string;
  /** Its value is this operand. `unit` is added to a bare number. */
  readonly fills?: string;
  readonly unit?: string;
  /** A habit from another program. The help does not show it. */
  readonly hidden?: boolean;
}

/** Options by their names, without dashes. */
export type Options = Readonly<Record<string, Option>>;

/** How a verb is written. */
export interface Grammar {
  readonly options: Options;
  readonly operands: {
    /** Their names in order, as in the usage line. */
    readonly names: readonly string[];
    /** How many of them must be there. */
    readonly required: number;
    /** Kinds of operands, where a shell is to complete something else than the name says: see values.ts. */
    readonly kinds?: Readonly<Record<string, string>>;
    /** Whether the last one may be repeated. */
    readonly many?: boolean;
    /** The words that the last one can be, if they are few. */
    readonly words?: readonly string[];
    /** Whether the words after `--` are kept apart, in `Arguments.verbatim`. */
    readonly verbatim?: boolean;
    /** QEMU's own options that may stand anywhere, each with its value: they are kept apart too, in `Arguments.verbatim`. */
    readonly ofQemu?: readonly string[];
  };
}

/** The flags among the options of a verb. An alias counts as the option that it stands for, so it has no name of its own here. */
export type FlagsOf<O extends Options> = {
  [K in keyof O & string]: O[K] extends { readonly value: string } | { readonly alias: string } ? never : K;
}[keyof O & string];

/** The options that have a value. The value of an option that `fills` an operand is read as that operand. */
export type TextsOf<O extends Options> = {
  [K in keyof O & string]: O[K] extends { readonly alias: string } | { readonly fills: string }
    ? never
    : O[K] extends { readonly value: string }
      ? K
      : never;
}[keyof O & string];

/**
 * What stood on the command line after the verb, checked against its grammar. The parameters are the names that may be asked for, so
 * that the compiler finds a misspelled one.
 */
export interface Arguments<Flag extends string = string, Text extends string = string> {
  readonly operands: readonly string[];
  /** What followed `--`, if the verb takes that. */
  readonly verbatim: readonly string[] | undefined;
  /** Whether the flag, or one of its aliases, is there. */
  readonly flag: (name: Flag | "json" | "help") => boolean;
  /** The option's value as typed. If it is there twice, the last one counts. */
  readonly text: (name: Text) => string | undefined;
  /** An operand that the grammar requires. @throws RangeError when it does not */
  readonly operand: (index: number) => string;
}

function argumentsOf(
  operands: readonly string[],
  verbatim: readonly string[] | undefined,
  values: ReadonlyMap<string, string | true>,
): Arguments {
  return {
    operands,
    verbatim,
    flag: (name) => values.has(name),
    text(name) {
      const value = values.get(name);
      return typeof value === "string" ? value : undefined;
    },
    operand(index) {
      const operand = operands[index];
      if (operand === undefined) throw new RangeError(`operand ${index}: the verb's grammar does not require it`);
      return operand;
    },
  };
}

/** Options that every verb takes. */
export const commonOptions: Options = {
  json: { about: "print the answer as one JSON value" },
  output: { about: "", value: "json", short: "o", alias: "json" },
  help: { about: "show this help", short: "h" },
};

/** All options that a verb takes: its own, those of every verb, and its operands by name as in virsh (`--domain web1`). */
export function optionsOf(grammar: Grammar): Options {
  const { names, many } = grammar.operands;
  const single = many === true ? names.slice(0, -1) : names;
  const byName = single.map((name): [string, Option] => [name.toLowerCase(), { about: "", value: name, fills: name, hidden: true }]);
  return { ...Object.fromEntries(byName), ...grammar.options, ...commonOptions };
}

/** Says what to do instead of an option that the verb does not have, by its name without dashes. */
export type WayOf = (option: string) => Promise<string | undefined>;

/**
 * Reads what follows the verb.
 * @throws UsageError when an option or operand is wrong. The message names it, and a similar one that may be meant
 */
export async function parseArguments(
  argv: readonly string[],
  grammar: Grammar,
  wayOf: WayOf = () => Promise.resolve(undefined),
): Promise<Arguments> {
  const table = optionsOf(grammar);
  const { own, qemu, open } = qemuWords(argv, grammar.operands.ofQemu ?? []);
  if (open !== undefined) throw misuse(`-${open}: a value is missing`, undefined, `-${open} VALUE`);
  const { tokens } = parseArgs({
    args: [...own],
    options: Object.fromEntries(Object.entries(table).map(([name, option]) => [name, describe(option)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string | true>();
  const named = new Map<string, string>();
  const positional: string[] = [];
  let verbatim: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      if (grammar.operands.verbatim === true) verbatim = [];
    } else if (token.kind === "positional") {
      (verbatim ?? positional).push(token.value);
    } else {
      const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
      // The parser splits -5M into the options -5 and -M.
      const typed = /^-\d/.test(token.rawName) ? (own[token.index] ?? token.rawName) : token.rawName;
      if (option === undefined) throw await unknownOption(typed, table, wayOf);
      const value = valueOf(token, option);
      if (option.fills !== undefined) named.set(option.fills, withUnit(String(value), option));
      else values.set(option.alias ?? token.name, option.alias === undefined ? value : true);
    }
  }
  const operands = inPlace(positional, named, grammar, !values.has("help"));
  const kept = qemu === undefined ? verbatim : [...qemu, ...(verbatim ?? [])];
  if (!values.has("help")) countOperands(operands, verbatim, grammar);
  return argumentsOf(operands, kept, values);
}

function withUnit(value: string, { unit }: Option): string {
  return unit !== undefined && /^\d+$/.test(value) ? value + unit : value;
}

/** The operands in order. Named ones go to their own positions, the others to the positions that are left. */
function inPlace(
  positional: readonly string[],
  named: ReadonlyMap<string, string>,
  { operands: { names } }: Grammar,
  checks: boolean,
): readonly string[] {
  if (named.size === 0) return positional;
  const left = [...positional];
  const placed = names.map((name) => named.get(name) ?? left.shift());
  const filled = placed.findLastIndex((operand) => operand !== undefined) + 1;
  const gap = placed.slice(0, filled).indexOf(undefined);
  if (gap >= 0 && checks) throw misuse(`${names[gap]}: missing`, undefined, names[gap] ?? "");
  return [...placed.slice(0, filled).filter((operand) => operand !== undefined), ...left];
}

function describe(option: Option): { type: "string" | "boolean"; short?: string } {
  const type = option.value === undefined ? "boolean" : "string";
  return option.short === undefined ? { type } : { type, short: option.short };
}

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

function valueOf(token: OptionToken, option: Option): string | true {
  if (option.value === undefined) {
    if (token.value !== undefined)
      throw misuse(`${token.rawName}=${token.value}: ${token.rawName} takes no value`, token.value, token.rawName);
    return true;
  }
  // The parser is not strict and takes the next option for a value. A value that begins with a dash must be written --x=-1.
  if (token.value === undefined || (token.inlineValue !== true && /^-\D/.test(token.value)))
    throw misuse(`${token.rawName}: a value is missing`, token.value, `${token.rawName} ${option.value}`);
  if (option.alias !== undefined && token.value !== option.value)
    throw misuse(`${token.rawName} ${token.value}: answers are text or ${option.value}`, token.value, `${token.rawName} ${option.value}`);
  return token.value;
}

function countOperands(operands: readonly string[], verbatim: readonly string[] | undefined, grammar: Grammar): void {
  const { names, required, many } = grammar.operands;
  const missing = names[operands.length];
  if (operands.length < required && verbatim === undefined && missing !== undefined)
    throw misuse(`${missing}: missing`, undefined, missing);
  const extra = operands[names.length];
  if (extra === undefined || many === true) return;
  const number = operands[names.length - 1] ?? "";
  const torn = /^\d+$/.test(number) && /^[KMGTP](i?B)?$/i.test(extra) ? `, write ${number}${extra} as one word` : "";
  throw misuse(`${JSON.stringify(extra)}: one operand too many${torn}`, extra, names.join(" "));
}

async function unknownOption(rawName: string, table: Options, wayOf: WayOf): Promise<UsageError> {
  if (/^-\d/.test(rawName))
    return misuse(`${rawName}: numbers must be 0 or more`, rawName, "a number of 0 or more, or an option of this verb");
  const name = rawName.replace(/^-+/, "");
  const way = await wayOf(name);
  if (way !== undefined) return new ElsewhereError(rawName, "option", way);
  const meant = nearest(name, Object.keys(table));
  const hint = meant === undefined ? "there is no such option" : `there is no such option, did you mean --${meant}?`;
  return misuse(`${rawName}: ${hint}`, rawName, meant === undefined ? "an option of this verb" : `--${meant}`);
}

/** A word of another program, with what to do here instead. It needs no usage line. */
export class ElsewhereError extends UsageError {
  constructor(word: string, kind: "verb" | "option", way: string) {
    super(`${word}: there is no such ${kind} here: ${way}`, { value: word, expected: way });
  }
}

/** A usage error of the command line itself. */
export function misuse(message: string, value: unknown, expected: string): UsageError {
  return new UsageError(message, { value, expected });
}
