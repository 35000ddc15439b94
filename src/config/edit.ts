import { UsageError } from "../errors.ts";
import {
  type JsonDocument,
  type JsonPiece,
  type ListPiece,
  type ObjectPiece,
  orderOf,
  pieceOf,
  putTogether,
  takeApart,
} from "./json-pieces.ts";

/**
 * One change of a JSON text: the keys that lead to a value (in a list, a position), and the new value. `undefined` removes the key, or the
 * value of a list. The position after the last one adds to a list. Edits are made one after the other, so a position counts as the list
 * then is.
 */
export interface Edit {
  readonly path: readonly string[];
  readonly value: unknown;
}

/**
 * Changes values of a JSON text, and nothing else in it: order, indentation, line ends and unknown keys stay as they are, so that a change
 * shows as one line of a diff. Objects on the way to a new key are created.
 *
 * @throws JsonTextError when the text is not JSON; UsageError when a path leads through something that is not an object
 */
export function editJson(text: string, edits: readonly Edit[]): string {
  if (edits.length === 0) return text;
  // Parsed once and written once, because a machine can have thousands of pins.
  const document = takeApart(text);
  for (const edit of edits) applyEdit(document, edit);
  return putTogether(document);
}

function applyEdit(document: JsonDocument, { path, value }: Edit): void {
  const spacious = isSpacious(document);
  let holder: { value: JsonPiece } = document;
  for (const [depth, key] of path.entries()) {
    const object = holder.value;
    if (typeof object !== "string" && "items" in object) {
      const item = object.items[orderOf(key)];
      if (depth === path.length - 1 && (value === undefined || item === undefined)) return editList(object, key, value, path, spacious);
      if (item === undefined) throw pathError(path.slice(0, depth), path);
      holder = item;
      continue;
    }
    if (typeof object === "string") throw pathError(path.slice(0, depth), path);
    const position = object.members.findIndex((each) => each.key === key);
    const member = object.members[position];
    if (member === undefined) return value === undefined ? undefined : addMember(object, key, nest(path.slice(depth + 1), value), spacious);
    if (value === undefined && depth === path.length - 1) return removeMember(object, position);
    holder = member;
  }
  if (value === undefined) throw pathError([], path);
  holder.value = pieceOf(write(value, spacious));
}

/** Adds a value to a list, or removes one. */
function editList(list: ListPiece, key: string, value: unknown, path: readonly string[], spacious: boolean): void {
  const { items } = list;
  const position = orderOf(key);
  if (value !== undefined && position === items.length) {
    const last = items.at(-1);
    items.push({ lead: last === undefined ? "" : `,${separator(last, spacious)}`, value: pieceOf(write(value, spacious)) });
    return;
  }
  if (value !== undefined || items[position] === undefined) throw pathError(path.slice(0, -1), path);
  const [removed] = items.splice(position, 1);
  const next = items[position];
  // The first value has no comma before it.
  if (next !== undefined && position === 0) next.lead = removed?.lead ?? "";
  else if (items.length === 0) list.tail = "";
}

function nest(keys: readonly string[], value: unknown): unknown {
  return keys.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

function addMember(object: ObjectPiece, key: string, value: unknown, spacious: boolean): void {
  const { members } = object;
  const name = `${JSON.stringify(key)}:${spacious ? " " : ""}`;
  const added = { lead: "", key, order: orderOf(key), name, value: pieceOf(write(value, spacious)) };
  // vCPU numbers are kept in ascending order; other keys are added at the end.
  const position = members.findIndex((each) => added.order < each.order);
  const [next, last] = [members[position], members.at(-1)];
  if (next !== undefined) {
    added.lead = next.lead;
    next.lead = `,${separator(next, spacious)}`;
    members.splice(position, 0, added);
    return;
  }
  if (last !== undefined) added.lead = `,${separator(last, spacious)}`;
  else object.tail = added.lead = spacious ? " " : "";
  members.push(added);
}

/** What stands before a member or a value of a list, after its comma: a line end with indentation, or blanks, or nothing. */
function separator({ lead }: { readonly lead: string }, spacious: boolean): string {
  const gap = lead.replace(/^\s*,/, "");
  if (gap.includes("\n")) return `${gap.includes("\r\n") ? "\r\n" : "\n"}${gap.slice(gap.lastIndexOf("\n") + 1)}`;
  return spacious ? " " : "";
}

function removeMember(object: ObjectPiece, position: number): void {
  const [removed] = object.members.splice(position, 1);
  const next = object.members[position];
  if (next !== undefined) next.lead = removed?.lead ?? "";
  else if (position === 0) object.tail = "";
}

/** Whether the text has blanks after its colons, as people write JSON, or none, as JSON.stringify does. */
function isSpacious({ value }: JsonDocument): boolean {
  const first = typeof value === "string" || "items" in value ? undefined : value.members[0];
  return first === undefined || /\s$/.test(first.name);
}

/** A new value is written on one line, so that a diff has no more lines than needed. */
function write(value: unknown, spacious: boolean): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const [blank, edge] = spacious ? [" ", " "] : ["", ""];
  if (Array.isArray(value)) return `[${value.map((item) => write(item, spacious)).join(`,${blank}`)}]`;
  const members = Object.entries(value).filter(([, each]) => each !== undefined);
  if (members.length === 0) return "{}";
  return `{${edge}${members.map(([key, each]) => `${JSON.stringify(key)}:${blank}${write(each, spacious)}`).join(`,${blank}`)}${edge}}`;
}

function pathError(at: readonly string[], path: readonly string[]): UsageError {
  const where = at.length === 0 ? "the whole config" : at.join(".");
  return new UsageError(`${path.join(".") || "edit"}: ${where} has no such key or position to change`, {
    value: path,
    expected: "a path of keys through objects, and of positions in lists",
  });
}
