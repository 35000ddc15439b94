import { type SchemaType, valuesOf } from "./introspection.ts";

/** Where a value is in the arguments: names of members, and positions in lists. */
export type Path = readonly (string | number)[];

/** Writes a path: `["a", 0, "b"]` as `a[0].b`. */
export function formatPath(path: Path): string {
  return path.map((step, index) => (typeof step === "number" ? `[${step}]` : index === 0 ? step : `.${step}`)).join("");
}

/** The kinds of JSON values, in words. */
export const KINDS: Readonly<Record<string, string>> = {
  string: "a string",
  int: "an integer",
  number: "a number",
  boolean: "true or false",
  null: "null",
};

/** What a value of this type has to be, in words. */
export function kindOf(type: SchemaType): string {
  switch (type["meta-type"]) {
    case "builtin":
      return KINDS[type["json-type"]] ?? "anything";
    case "enum":
      return oneOf(valuesOf(type));
    case "array":
      return "a list";
    default:
      return "an object";
  }
}

/** The end of a sentence that guesses what was meant; empty without a guess. */
export function guess(meant: string | undefined): string {
  return meant === undefined ? "" : `, did you mean ${meant}?`;
}

/** A choice of values in words: the value itself, or `one of` them. */
export function oneOf(values: readonly string[]): string {
  return values.length === 1 ? show(values[0]) : `one of ${list(values.map(show))}`;
}

const MOST_LISTED = 12;

/** Values with commas between; a long list is cut, and says how many are left out. */
export function list(values: readonly string[]): string {
  return values.length <= MOST_LISTED
    ? values.join(", ")
    : `${values.slice(0, MOST_LISTED).join(", ")} and ${values.length - MOST_LISTED} more`;
}

const MOST_SHOWN = 80;

/** A value for an error message, in one short piece; lists and objects by their kind alone. */
export function show(value: unknown): string {
  // JSON would make null of NaN.
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}…`;
}
