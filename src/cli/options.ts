import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/** One option of a verb. */
export interface Option {
  readonly about: string;
  /** What stands for its value in the help, as `TIME`; absent: the option is a flag. */
  readonly value?: string;
  readonly short?: string;
  /** The option that this one is another name of. */
  readonly alias?: string;
}

/** How a verb may be written. */
export interface Grammar {
  readonly options: Readonly<Record<string, Option>>;
  readonly operands: {
    /** Their names in order, as the usage line has them. */
    readonly names: readonly string[];
    /** How many of them have to be there. */
    readonly required: number;
    /** Whether the last may be there several times. */
    readonly many?: boolean;
    /** Whether what follows `--` is kept apart, in `Arguments.verbatim`. */
    readonly verbatim?: boolean;
  };
}

/** What stood on the command line after the verb, checked against its grammar. */
export class Arguments {
  readonly operands: readonly string[];
  /** What followed `--`, where the verb asks for it. */
  readonly verbatim: readonly string[] | undefined;
  readonly #values: ReadonlyMap<string, string | true>;

  constructor(operands: readonly string[], verbatim: readonly string[] | undefined, values: ReadonlyMap<string, string | true>) {
    this.operands = operands;
    this.verbatim = verbatim;
    this.#values = values;
  }

  /** Whether the flag (or one of its aliases) is there. */
  flag(name: string): boolean {
    return this.#values.has(name);
  }

  /** The option's value as typed; the last one wins. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  /** An operand that the grammar requires. */
  operand(index: number): string {
    const operand = this.operands[index];
    if (operand === undefined) throw new RangeError(`operand ${index}: the verb's grammar does not require it`);
    return operand;
  }
}

/** Options that every verb takes. */
export const commonOptions: Readonly<Record<string, Option>> = {
  json: { about: "print the answer as one JSON value" },
  help: { about: "show this help", short: "h" },
};

/**
 * Reads what follows the verb.
 * @throws UsageError that names the option or operand and, where one is near, what was meant
 */
export function parseArguments(argv: readonly string[], grammar: Grammar): Arguments {
  const table: Readonly<Record<string, Option>> = { ...grammar.options, ...commonOptions };
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(Object.entries(table).map(([name, option]) => [name, describe(option)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string | true>();
  const operands: string[] = [];
  let verbatim: string[] | undefined;
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      if (grammar.operands.verbatim === true) verbatim = [];
    } else if (token.kind === "positional") {
      (verbatim ?? operands).push(token.value);
    } else {
      const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
      if (option === undefined) throw unknownOption(token.rawName, table);
      values.set(option.alias ?? token.name, valueOf(token, option));
    }
  }
  if (!values.has("help")) countOperands(operands, verbatim, grammar);
  return new Arguments(operands, verbatim, values);
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
    if (token.value !== undefined) throw misuse(`${token.rawName}=${token.value}: ${token.rawName} takes no value`, token.value, token.rawName);
    return true;
  }
  // Not strict, the parser takes the next option for a value; a value that begins with a dash has to be written --x=-1.
  if (token.value === undefined || (token.inlineValue !== true && token.value.startsWith("-")))
    throw misuse(`${token.rawName}: a value is missing`, token.value, `${token.rawName} ${option.value}`);
  return token.value;
}

function countOperands(operands: readonly string[], verbatim: readonly string[] | undefined, grammar: Grammar): void {
  const { names, required, many } = grammar.operands;
  const missing = names[operands.length];
  if (operands.length < required && verbatim === undefined && missing !== undefined) throw misuse(`${missing}: missing`, undefined, missing);
  const extra = operands[names.length];
  if (extra !== undefined && many !== true) throw misuse(`${JSON.stringify(extra)}: one operand too many`, extra, names.join(" "));
}

function unknownOption(rawName: string, table: Readonly<Record<string, Option>>): UsageError {
  if (/^-\d/.test(rawName)) return misuse(`${rawName}: no number here can be below 0`, rawName, "a number from 0, or an option of this verb");
  const meant = nearest(rawName.replace(/^-+/, ""), Object.keys(table));
  const hint = meant === undefined ? "there is no such option" : `there is no such option, did you mean --${meant}?`;
  return misuse(`${rawName}: ${hint}`, rawName, meant === undefined ? "an option of this verb" : `--${meant}`);
}

/** A usage error of the command line itself. */
export function misuse(message: string, value: unknown, expected: string): UsageError {
  return new UsageError(message, { value, expected });
}
