import { parseSize } from "../../config/size.ts";
import { messageOf } from "../../errors.ts";
import { parseJson } from "../../wire/json.ts";
import { misuse } from "../options.ts";
import { emptyMembers, jsonOrText, type Members, type Pair, setMember } from "../qmp-arguments.ts";
import type { Type } from "./schema.ts";

/** The types of a command's arguments, as far as we know them. */
export interface Types {
  typeAt(path: readonly string[]): Type | undefined;
  /** A type by its name in another type. */
  type(name: string): Type;
}

/** No type is known: a word is JSON if it is valid JSON, else a string. */
export const untyped: Types = { typeAt: () => undefined, type: () => ({ kind: "any" }) };

/**
 * `key=value` pairs as a command's arguments, each value in its type. `undefined` if there are none. @throws UsageError when a value does
 * not fit
 */
export function membersOf(pairs: readonly Pair[], types: Types): Members | undefined {
  if (pairs.length === 0) return undefined;
  const members = emptyMembers();
  for (const pair of pairs) setMember(members, pair, valueOf(pair, types));
  return listed(members, [], types) as Members;
}

function valueOf({ word, key, value }: Pair, types: Types): unknown {
  if (value.kind === "json") return value.value;
  const type = types.typeAt(key.split("."));
  // Quotes mean "string" if any type fits. If a number is wanted, QEMU refuses the string.
  if (value.kind === "quoted") return value.text;
  return type === undefined ? jsonOrText(value.text) : read(value.text, type, word, types);
}

function read(text: string, type: Type, word: string, types: Types): unknown {
  switch (type.kind) {
    case "string":
      return text;
    case "enum":
      if (type.values.includes(text)) return text;
      throw misuse(`${word}: ${JSON.stringify(text)} is not one of ${shorten(type.values)}`, text, shorten(type.values));
    case "integer":
      // This can only mean a number of bytes.
      if (/^\d+(\.\d+)?([kmgtpe](i|i?b)?|b|bytes)$/i.test(text)) return sizeOf(text, word);
      return numberOf(text, word, /^-?\d+$/, "an integer or a size such as 512M");
    case "number":
      return numberOf(text, word, /^-?\d/, "a number");
    case "boolean":
      if (text === "true" || text === "on") return true;
      if (text === "false" || text === "off") return false;
      throw misuse(`${word}: ${JSON.stringify(text)} is not true or false`, text, "true or false");
    case "alternate":
      return alternative(
        text,
        type.of.map((name) => types.type(name)),
        word,
        types,
      );
    case "array":
    case "object":
      throw misuse(
        `${word}: needs ${type.kind === "array" ? "a list, such as [..]" : "an object, such as {..}, or KEY.MEMBER=VALUE"}`,
        text,
        "JSON",
      );
    default:
      return jsonOrText(text);
  }
}

/** Adds the word to the message of the parser of sizes. */
function sizeOf(text: string, word: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw misuse(`${word}: ${messageOf(error)}`, text, "an integer, or a size such as 512M");
  }
}

function numberOf(text: string, word: string, pattern: RegExp, what: string): unknown {
  if (!pattern.test(text)) throw misuse(`${word}: ${JSON.stringify(text)} is not ${what}`, text, what);
  try {
    return parseJson(word, text, true);
  } catch {
    throw misuse(`${word}: ${JSON.stringify(text)} is not ${what}`, text, what);
  }
}

/** Of several types, the most specific one that fits the text. */
function alternative(text: string, of: readonly Type[], word: string, types: Types): unknown {
  const order = ["null", "boolean", "integer", "number", "enum", "string", "any"];
  const simple = of.filter(({ kind }) => order.includes(kind)).toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  for (const type of simple) {
    if (type.kind === "null" && text === "null") return null;
    if (type.kind === "null") continue;
    try {
      return read(text, type, word, types);
    } catch {
      // The next type may fit.
    }
  }
  throw misuse(`${word}: no type of this argument fits`, text, of.map(({ kind }) => kind).join(" or "));
}

/** If a list is wanted, `list.0=a list.1=b` becomes one. */
function listed(value: unknown, path: readonly string[], types: Types): unknown {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, listed(inner, [...path, key], types)] as const);
  const isList = path.length > 0 && types.typeAt(path)?.kind === "array" && entries.every(([key], index) => key === String(index));
  if (isList) return entries.map(([, inner]) => inner);
  const members = emptyMembers();
  for (const [key, inner] of entries) members[key] = inner;
  return members;
}

function shorten(values: readonly string[]): string {
  return values.length <= 12 ? values.join(", ") : `${values.slice(0, 12).join(", ")}, … (${values.length})`;
}
