import { parseDuration } from "../cli/duration.ts";
import { messageOf, UsageError } from "../errors.ts";
import { nearest } from "../nearest.ts";

/** What the value of an option is. A time is a text as the command line takes it, or seconds. */
export type OptionType = "str" | "bool" | "dict" | "list" | "time" | "raw";

/** One option of a module: what is read of it, and what ansible-doc shows. */
export interface Option {
  readonly about: readonly string[];
  readonly type: OptionType;
  readonly required?: true;
  readonly aliases?: readonly string[];
  readonly choices?: readonly string[];
  readonly default?: string | boolean | readonly string[];
}

/** The options of a module, by their names. */
export type Options = Readonly<Record<string, Option>>;

interface Types {
  readonly str: string;
  readonly bool: boolean;
  readonly dict: Readonly<Record<string, unknown>> | string;
  readonly list: readonly string[];
  /** Milliseconds. */
  readonly time: number;
  readonly raw: unknown;
}

/** The values of a module's options: undefined where one is not given, and has no default. */
export type Values<O extends Options> = {
  readonly [K in keyof O]:
    | (O[K] extends { readonly choices: readonly (infer C)[] } ? (O[K]["type"] extends "list" ? readonly C[] : C) : Types[O[K]["type"]])
    | (O[K] extends { readonly required: true } | { readonly default: unknown } ? never : undefined);
};

/** A value, or what is wrong with it. */
type Read = { readonly value: unknown } | { readonly expected: string };

const YES: ReadonlySet<string> = new Set(["yes", "true", "on", "1", "y", "t"]);
const NO: ReadonlySet<string> = new Set(["no", "false", "off", "0", "n", "f"]);

const READERS: Readonly<Record<OptionType, (value: unknown) => Read>> = {
  // A name of digits is a number to YAML.
  str: (value) => (typeof value === "string" || typeof value === "number" ? { value: String(value) } : { expected: "a text" }),
  bool: (value) => {
    const word = String(value).toLowerCase();
    return YES.has(word) ? { value: true } : NO.has(word) ? { value: false } : { expected: "true or false" };
  },
  dict: (value) =>
    isDict(value) || (typeof value === "string" && value.trimStart().startsWith("{")) ? { value } : { expected: "a dictionary" },
  list: (value) => {
    const all = typeof value === "string" ? value.split(",").map((each) => each.trim()) : Array.isArray(value) ? value : [value];
    const fits = all.every((each) => typeof each === "string" || typeof each === "number");
    return fits ? { value: all.map(String) } : { expected: "a list of texts" };
  },
  time: (value) => {
    try {
      return { value: parseDuration(String(value)) };
    } catch (error) {
      return { expected: messageOf(error).replace(/^.*; give /, "") };
    }
  },
  raw: (value) => ({ value }),
};

/** Whether a value is what YAML calls a dictionary. */
export function isDict(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads the arguments that Ansible gave a module. An option without a value is one that is not given, as Ansible has it.
 *
 * @throws UsageError with everything that is wrong
 */
export function readOptions<const O extends Options>(options: O, given: unknown): Values<O> {
  const all = isDict(given) ? Object.entries(given).filter(([name, value]) => !name.startsWith("_ansible_") && value !== null) : [];
  const names = new Map(Object.entries(options).flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((word) => [word, name])));
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [word, value] of all) {
    const name = names.get(word);
    if (name === undefined) faults.push(unknown(word, [...names.keys()], Object.keys(options)));
    else if (Object.hasOwn(values, name)) faults.push(`${name}: it is given twice, also as ${aliasGiven(all, options[name])}`);
    else {
      const read = readOne(word, options[name] as Option, value);
      if ("fault" in read) faults.push(read.fault);
      values[name] = "fault" in read ? undefined : read.value;
    }
  }
  for (const [name, { required, default: usual }] of Object.entries<Option>(options)) {
    if (Object.hasOwn(values, name)) continue;
    if (required === true) faults.push(`${name}: it is missing`);
    values[name] = usual;
  }
  if (faults.length > 0) throw new UsageError(faults.join("; "), { value: given, expected: `options: ${Object.keys(options).join(", ")}` });
  return values as Values<O>;
}

function readOne(name: string, { type, choices }: Option, value: unknown): { readonly value: unknown } | { readonly fault: string } {
  const read = READERS[type](value);
  if ("expected" in read) return { fault: `${name}: ${shown(value)} is not ${read.expected}` };
  const words = type === "list" ? (read.value as readonly string[]) : [read.value as string];
  const stray = choices === undefined ? undefined : words.find((word) => !choices.includes(word));
  if (stray === undefined || choices === undefined) return read;
  const near = nearest(stray, choices);
  return { fault: `${name}: ${shown(stray)} is none of ${choices.join(", ")}${near === undefined ? "" : `; did you mean ${near}?`}` };
}

function unknown(word: string, words: readonly string[], names: readonly string[]): string {
  const near = nearest(word, words);
  return `${word}: there is no such option${near === undefined ? `; there are ${names.join(", ")}` : `, did you mean ${near}?`}`;
}

function aliasGiven(all: readonly (readonly [string, unknown])[], option: Option | undefined): string {
  return all.map(([word]) => word).find((word) => option?.aliases?.includes(word)) ?? "its other name";
}

/** A value in a message, cut where it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
