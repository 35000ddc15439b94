/**
 * A JSON reader that keeps the position of each value, so that an edit can leave the rest of the text alone. It is stricter than
 * JSON.parse: it refuses a key that is there twice, and nesting deeper than is useful. Grammar: RFC 8259.
 */

/** A value with its position in the text: `start` is its first character, `end` the one after its last. */
export type JsonNode = JsonScalar | JsonArray | JsonObject;

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A string, number, boolean or null. */
export interface JsonScalar extends Span {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
}

/** A list of values. */
export interface JsonArray extends Span {
  readonly kind: "array";
  readonly items: readonly JsonNode[];
}

/** An object. The `start` of a member is that of its key. */
export interface JsonObject extends Span {
  readonly kind: "object";
  readonly members: readonly JsonMember[];
}

/** One key of an object with its value. */
export interface JsonMember {
  readonly key: string;
  readonly start: number;
  readonly value: JsonNode;
}

/** A text that is not JSON, or JSON that we refuse. `line` and `column` count from 1. */
export class JsonTextError extends SyntaxError {
  readonly line: number;
  readonly column: number;

  constructor(why: string, text: string, offset: number) {
    const before = text.slice(0, offset).split("\n");
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`line ${before.length}, column ${column}: ${why}`);
    this.line = before.length;
    this.column = column;
  }
}

/** Deeper than any launch config; it limits the reader's own stack. */
const DEPTH = 64;
const SCALAR = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const BLANK = /[ \t\r\n]*/y;

/**
 * Reads a whole text. A byte order mark at its beginning is skipped.
 *
 * @throws JsonTextError when it is not JSON, has a key twice, or is nested too deep
 */
export function parseJson(text: string): JsonNode {
  return new Reader(text).document();
}

/** The plain value of a node. A key `__proto__` becomes an ordinary key. */
export function valueOf(node: JsonNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "array") return node.items.map(valueOf);
  const object = {};
  for (const { key, value } of node.members) {
    Object.defineProperty(object, key, { value: valueOf(value), enumerable: true, writable: true, configurable: true });
  }
  return object;
}

class Reader {
  readonly #text: string;
  #at: number;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith("\uFEFF") ? 1 : 0;
  }

  document(): JsonNode {
    this.#skipBlank();
    const node = this.#value();
    this.#skipBlank();
    if (this.#at < this.#text.length) throw this.#error("the text goes on after its end");
    return node;
  }

  #value(): JsonNode {
    const start = this.#at;
    const first = this.#text[start];
    if (first !== "{" && first !== "[") return this.#scalar();
    if (++this.#depth > DEPTH) throw this.#error(`nested deeper than ${DEPTH}`);
    this.#at++;
    const node = first === "{" ? this.#object(start) : this.#array(start);
    this.#depth--;
    return node;
  }

  #scalar(): JsonScalar {
    const start = this.#at;
    const word = this.#match(SCALAR);
    if (word === "") throw this.#error(start >= this.#text.length ? "the text ends too early" : "no JSON value stands here");
    return { kind: "scalar", value: JSON.parse(word) as JsonScalar["value"], start, end: this.#at };
  }

  #array(start: number): JsonArray {
    const items: JsonNode[] = [];
    while (this.#more("]", items.length)) items.push(this.#value());
    return { kind: "array", items, start, end: this.#at };
  }

  #object(start: number): JsonObject {
    const members: JsonMember[] = [];
    const seen = new Set<string>();
    while (this.#more("}", members.length)) {
      const at = this.#at;
      if (this.#text[at] !== '"') throw this.#error("a key in double quotes is expected");
      const key = String(this.#scalar().value);
      if (seen.has(key)) throw new JsonTextError(`the key ${JSON.stringify(key.slice(0, 60))} stands here a second time`, this.#text, at);
      seen.add(key);
      this.#skipBlank();
      if (this.#text[this.#at] !== ":") throw this.#error('":" is expected after a key');
      this.#at++;
      this.#skipBlank();
      members.push({ key, start: at, value: this.#value() });
    }
    return { kind: "object", members, start, end: this.#at };
  }

  /** Moves to the next item of a list or object, or past its end. */
  #more(close: string, count: number): boolean {
    this.#skipBlank();
    if (this.#text[this.#at] === close) {
      this.#at++;
      return false;
    }
    if (count > 0) {
      if (this.#text[this.#at] !== ",") throw this.#error(`"," or "${close}" is expected`);
      this.#at++;
      this.#skipBlank();
    }
    return true;
  }

  #skipBlank(): void {
    this.#match(BLANK);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? "";
    this.#at += found.length;
    return found;
  }

  #error(why: string): JsonTextError {
    return new JsonTextError(why, this.#text, this.#at);
  }
}
