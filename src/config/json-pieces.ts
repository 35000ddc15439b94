import { type JsonNode, parseJson } from "./json.ts";

/** A JSON text in pieces, in order. Each character is in one piece, so an edit changes some pieces and the others stay as they were. */
export interface JsonDocument {
  /** The text before the value, and after it. */
  readonly before: string;
  value: JsonPiece;
  readonly after: string;
}

/** An object or a list, whose parts can be changed, or the text of any other value. */
export type JsonPiece = string | ObjectPiece | ListPiece;

/** An object. `tail` is the text between its last value (or its opening brace) and its closing brace. */
export interface ObjectPiece {
  readonly members: MemberPiece[];
  tail: string;
}

/** A list. `tail` is the text between its last value (or its opening bracket) and its closing bracket. */
export interface ListPiece {
  readonly items: ItemPiece[];
  tail: string;
}

/** One value of a list. `lead` is the text before it, from the end of the previous value or from the opening bracket. */
export interface ItemPiece {
  lead: string;
  value: JsonPiece;
}

/** One key of an object with its value. */
export interface MemberPiece {
  /** The text before the key, from the end of the previous value or from the opening brace. */
  lead: string;
  readonly key: string;
  /** The key as a number, if it is a vCPU's; else NaN, which is neither below nor above any number. */
  readonly order: number;
  /** The key as it is written, with its colon and the blanks up to the value. */
  readonly name: string;
  value: JsonPiece;
}

/**
 * Takes a text apart.
 *
 * @throws JsonTextError when it is not JSON
 */
export function takeApart(text: string): JsonDocument {
  const node = parseJson(text);
  return { before: text.slice(0, node.start), value: pieceIn(text, node), after: text.slice(node.end) };
}

/** The piece for the text of a value. */
export function pieceOf(text: string): JsonPiece {
  return /^[{[]/.test(text) ? pieceIn(text, parseJson(text)) : text;
}

/** The text of all pieces, in order. */
export function putTogether({ before, value, after }: JsonDocument): string {
  return `${before}${written(value)}${after}`;
}

/** The `order` of a member with this key. */
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
