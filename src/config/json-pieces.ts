import { type JsonNode, parseJson } from "./json.ts";

/** A JSON text in pieces, in their order, each character in one of them: an edit changes some, and the others stay as they were. */
export interface JsonDocument {
  /** What stands before the value, and after it. */
  readonly before: string;
  value: JsonPiece;
  readonly after: string;
}

/** An object or a list, which can be changed from within, or the text of any other value. */
export type JsonPiece = string | ObjectPiece | ListPiece;

/** An object; `tail` stands between its last value, or its opening brace, and its closing one. */
export interface ObjectPiece {
  readonly members: MemberPiece[];
  tail: string;
}

/** A list; `tail` stands between its last value, or its opening bracket, and its closing one. */
export interface ListPiece {
  readonly items: ItemPiece[];
  readonly tail: string;
}

/** One value of a list; `lead` is from the end of the value before it, or the opening bracket, to it. */
export interface ItemPiece {
  readonly lead: string;
  value: JsonPiece;
}

/** One key of an object with its value. */
export interface MemberPiece {
  /** From the end of the value before it, or the opening brace, to the key. */
  lead: string;
  readonly key: string;
  /** The key as a number where it is one, a vCPU's; else NaN, which is neither below nor above any. */
  readonly order: number;
  /** The key as it is written, with its colon, up to the value. */
  readonly name: string;
  value: JsonPiece;
}

/** Takes a text apart. Throws JsonTextError where it is no JSON. */
export function takeApart(text: string): JsonDocument {
  const node = parseJson(text);
  return { before: text.slice(0, node.start), value: pieceIn(text, node), after: text.slice(node.end) };
}

/** The piece of a value that is a text of its own. */
export function pieceOf(text: string): JsonPiece {
  return /^[{[]/.test(text) ? pieceIn(text, parseJson(text)) : text;
}

/** The text of all pieces, in their order. */
export function putTogether({ before, value, after }: JsonDocument): string {
  return `${before}${written(value)}${after}`;
}

/** See `order` of a member. */
export function orderOf(key: string): number {
  return /^\d+$/.test(key) ? Number(key) : Number.NaN;
}

function pieceIn(text: string, node: JsonNode): JsonPiece {
  if (node.kind === "scalar") return text.slice(node.start, node.end);
  let at = node.start + 1;
  if (node.kind === "array") {
    const items = node.items.map((item): ItemPiece => {
      const lead = text.slice(at, item.start);
      at = item.end;
      return { lead, value: pieceIn(text, item) };
    });
    return { items, tail: text.slice(at, node.end - 1) };
  }
  const members = node.members.map(({ key, start, value }): MemberPiece => {
    const lead = text.slice(at, start);
    at = value.end;
    return { lead, key, order: orderOf(key), name: text.slice(start, value.start), value: pieceIn(text, value) };
  });
  return { members, tail: text.slice(at, node.end - 1) };
}

function written(piece: JsonPiece): string {
  if (typeof piece === "string") return piece;
  if ("items" in piece) return `[${piece.items.map(({ lead, value }) => `${lead}${written(value)}`).join("")}${piece.tail}]`;
  return `{${piece.members.map(({ lead, name, value }) => `${lead}${name}${written(value)}`).join("")}${piece.tail}}`;
}
