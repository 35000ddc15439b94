import { parseSize } from "../../config/size.ts";
import { messageOf } from "../../errors.ts";
import { parseJson } from "../../wire/json.ts";
import { misuse } from "../options.ts";
import { emptyMembers, jsonOrText, type Members, type Pair, setMember } from "../qmp-arguments.ts";
import type { Type } from "./schema.ts";

/** What is known of an argument's type, by its path. */
export interface Types {
  typeAt(path: readonly string[]): Type | undefined;
  /** A type by the name that another type has for it. */
  type(name: string): Type;
}

/** Nothing is known: a word is JSON where it is that, else a string. */
export const untyped: Types = { typeAt: () => undefined, type: () => ({ kind: "any" }) };

/** `key=value` pairs as a command's arguments, each value in the type that the command takes; none: `undefined`. @throws UsageError */
export function membersOf(pairs: readonly Pair[], types: Types): Members | undefined {
  if (pairs.length === 0) return undefined;
  const members = emptyMembers();
  for (const pair of pairs) setMember(members, pair, valueOf(pair, types));
  return listed(members, [], types) as Members;
}

function valueOf({ word, key, value }: Pair, types: Types): unknown {
  if (value.kind === "json") return value.value;
  const type = types.typeAt(key.split("."));
  // Quotes say "string" to whoever takes anything; whoever takes a number has no use for one in any case.
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
      // Nothing else than a number of bytes could be meant.
      if (/^\d+(\.\d+)?([kmgtpe](i|i?b)?|b|bytes)$/i.test(text)) return sizeOf(text, word);
      return numberOf(text, word, /^-?\d+$/, "an integer, nor a size as 512M");
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
      throw misuse(`${word}: takes ${type.kind === "array" ? "a list, as [..]" : "an object, as {..}, or KEY.MEMBER=VALUE"}`, text, "JSON");
    default:
      return jsonOrText(text);
  }
}

/** What is wrong with a size is told by who reads sizes. */
function sizeOf(text: string, word: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw misuse(`${word}: ${messageOf(error)}`, text, "an integer, or a size as 512M");
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

/** Of several types, the most particular one that the text fits. */
function alternative(text: string, of: readonly Type[], word: string, types: Types): unknown {
  const order = ["null", "boolean", "integer", "number", "enum", "string", "any"];
  const simple = of.filter(({ kind }) => order.includes(kind)).toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  for (const type of simple) {
    if (type.kind === "null" && text === "null") return null;
    if (type.kind === "null") continue;
    try {
      return read(text, type, word, types);
    } catch {
      // The next one may take it.
    }
  }
  throw misuse(`${word}: nothing that this takes`, text, of.map(({ kind }) => kind).join(" or "));
}

/** `list.0=a list.1=b` where a list is wanted becomes one. */
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
