import { UsageError } from "../errors.ts";
import { type JsonMember, type JsonNode, type JsonObject, parseJson } from "./json.ts";

/** One change of a JSON text: the keys that lead to a value, and the value it is to have; `undefined` takes the key out. */
export interface Edit {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Changes values of a JSON text and nothing else of it: order, indentation, line ends and keys that we don't know stay as they
 * are, so that a change shows as one line of a diff. Objects on the way to a new key are made. Throws JsonTextError where the text is
 * no JSON, UsageError where a path leads through something that is no object.
 */
export function editJson(text: string, edits: readonly Edit[]): string {
  return edits.reduce(applyEdit, text);
}

function applyEdit(text: string, { path, value }: Edit): string {
  let node = parseJson(text);
  for (const [depth, key] of path.entries()) {
    if (node.kind !== "object") throw pathError(path.slice(0, depth), path);
    const member: JsonMember | undefined = node.members.find((each) => each.key === key);
    if (member === undefined) return value === undefined ? text : addMember(text, node, key, nest(path.slice(depth + 1), value));
    if (value === undefined && depth === path.length - 1) return removeMember(text, node, member);
    node = member.value;
  }
  if (value === undefined) throw pathError([], path);
  return splice(text, node.start, node.end, write(value, isSpacious(text)));
}

function nest(keys: readonly string[], value: unknown): unknown {
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

function addMember(text: string, object: JsonObject, key: string, value: unknown): string {
  const spacious = isSpacious(text);
  const member = `${JSON.stringify(key)}:${spacious ? " " : ""}${write(value, spacious)}`;
  const next = object.members.find((each) => isNumberBelow(key, each.key));
  if (next !== undefined) return splice(text, next.start, next.start, `${member},${separator(text, object, next)}`);
  const last = object.members.at(-1);
  if (last !== undefined) return splice(text, last.value.end, last.value.end, `,${separator(text, object, last)}${member}`);
  return splice(text, object.start, object.end, spacious ? `{ ${member} }` : `{${member}}`);
}

/** vCPU numbers are kept in ascending order; other keys go to the end. */
function isNumberBelow(key: string, other: string): boolean {
  return /^\d+$/.test(key) && /^\d+$/.test(other) && Number(key) < Number(other);
}

/** What stands in front of a member: a line end and its indentation, or blanks, or nothing. */
function separator(text: string, object: JsonObject, member: JsonMember): string {
  const index = object.members.indexOf(member);
  const from = index === 0 ? object.start + 1 : (object.members[index - 1]?.value.end ?? 0);
  const gap = text.slice(from, member.start).replace(/^\s*,/, "");
  if (gap.includes("\n")) return `${gap.includes("\r\n") ? "\r\n" : "\n"}${gap.slice(gap.lastIndexOf("\n") + 1)}`;
  return isSpacious(text) ? " " : "";
}

function removeMember(text: string, object: JsonObject, member: JsonMember): string {
  const index = object.members.indexOf(member);
  const next = object.members[index + 1];
  if (next !== undefined) return splice(text, member.start, next.start, "");
  const previous = object.members[index - 1];
  return previous === undefined ? splice(text, object.start, object.end, "{}") : splice(text, previous.value.end, member.value.end, "");
}

/** Whether the text has blanks after its colons, as people write it, or none, as JSON.stringify does. */
function isSpacious(text: string): boolean {
  const first = firstMember(parseJson(text));
  return first === undefined || /\s/.test(text[first.value.start - 1] ?? "");
}

function firstMember(node: JsonNode): JsonMember | undefined {
  return node.kind === "object" ? node.members[0] : undefined;
}

/** A value on one line: what is new must not take more lines of a diff than it needs. */
function write(value: unknown, spacious: boolean): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const [blank, edge] = spacious ? [" ", " "] : ["", ""];
  if (Array.isArray(value)) return `[${value.map((item) => write(item, spacious)).join(`,${blank}`)}]`;
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  if (members.length === 0) return "{}";
  return `{${edge}${members.map(([key, each]) => `${JSON.stringify(key)}:${blank}${write(each, spacious)}`).join(`,${blank}`)}${edge}}`;
}

function splice(text: string, start: number, end: number, middle: string): string {
  return text.slice(0, start) + middle + text.slice(end);
}

function pathError(at: readonly string[], path: readonly string[]): UsageError {
  const where = at.length === 0 ? "the whole config" : at.join(".");
  return new UsageError(`${path.join(".") || "edit"}: ${where} is no object that can be changed so`, { value: path, expected: "a path of keys through objects" });
}
