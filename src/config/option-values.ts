import { type Option, parseKeyValues } from "./options.ts";

/**
 * The values of an option's argument, in either of QEMU's notations: `key=value,…`, or a JSON object, whose inner keys are joined with
 * dots. JSON that can't be read gives no values; QEMU says what is wrong with it. `first` is the key that the first item may leave out.
 */
export function valuesOf({ value = "" }: Pick<Option, "value">, first: string): ReadonlyMap<string, string> {
  return isJson(value) ? flattened(value) : parseKeyValues(value, first);
}

/** Whether an argument is written as a JSON object. */
export function isJson(value: string): boolean {
  return value.trimStart().startsWith("{");
}

/** QEMU's JSON may have texts in single quotes. */
const TEXTS = /"(?:[^"\\]|\\.)*"|'((?:[^'\\]|\\.)*)'/g;

function flattened(json: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const add = (path: string, value: unknown): void => {
    if (typeof value !== "object" || value === null) values.set(path, typeof value === "boolean" ? (value ? "on" : "off") : String(value));
    else for (const [key, each] of Object.entries(value)) add(path === "" ? key : `${path}.${key}`, each);
  };
  try {
    add("", JSON.parse(json.replace(TEXTS, (text, single?: string) => (single === undefined ? text : inDoubleQuotes(single)))));
  } catch {
    values.clear();
  }
  return values;
}

function inDoubleQuotes(text: string): string {
  return `"${text.replaceAll('\\"', '"').replaceAll("\\'", "'").replaceAll('"', '\\"')}"`;
}

/** The items of `key=value,…` as they are written, with their doubled commas. */
export function itemsOf(value: string): readonly string[] {
  return value
    .replaceAll(",,", "\0")
    .split(",")
    .map((item) => item.replaceAll("\0", ",,"));
}

/** The key of an item; empty if it has none. */
export function keyOf(item: string): string {
  return /^([^=]*)=/.exec(item)?.[1] ?? "";
}

/** The machine type of a command line: the last one that is named; undefined if it is left to QEMU. */
export function machineTypeOf(options: readonly Option[]): string | undefined {
  return options
    .filter(isMachine)
    .map((option) => valuesOf(option, "type").get("type"))
    .findLast((type) => type !== undefined);
}

/** Whether an option is `-machine`, or `-M`. */
export function isMachine({ name }: Option): boolean {
  return name === "machine" || name === "M";
}
