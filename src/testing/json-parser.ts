import type { Token } from "./json-lexer.ts";
import { type Json, qemuNumber } from "./json-value.ts";

/** Why tokens are no JSON, in QEMU's words (without the `JSON parse error, ` before them). */
export class JsonParseError extends Error {}

/** Tokens of one whole text to its value, with the words QEMU has for each mistake (measured on 7.2). */
export function parseTokens(tokens: readonly Token[]): Json {
  return new Parser(tokens).value();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  value(): Json {
    const token = this.#tokens[this.#at++];
    switch (token?.kind) {
      case "{":
        return this.#object();
      case "[":
        return this.#list();
      case "string":
        return unquote(token.text);
      case "number":
        return qemuNumber(token.text);
      case "word":
        return keyword(token.text);
      default:
        throw new JsonParseError("expecting value");
    }
  }

  #object(): Json {
    const members = new Map<string, Json>();
    if (this.#next("}")) return members;
    do {
      const key = this.value();
      if (typeof key !== "string") throw new JsonParseError("key is not a string in object");
      if (!this.#next(":")) throw new JsonParseError("missing : in object pair");
      const value = this.value();
      if (members.has(key)) throw new JsonParseError("duplicate key");
      members.set(key, value);
    } while (this.#next(","));
    if (!this.#next("}")) throw new JsonParseError("expected separator in dict");
    return members;
  }

  #list(): Json {
    const items: Json[] = [];
    if (this.#next("]")) return items;
    do items.push(this.value());
    while (this.#next(","));
    if (!this.#next("]")) throw new JsonParseError("expected separator in list");
    return items;
  }

  #next(kind: Token["kind"]): boolean {
    if (this.#tokens[this.#at]?.kind !== kind) return false;
    this.#at += 1;
    return true;
  }
}

function keyword(text: string): Json {
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  throw new JsonParseError(`invalid keyword '${text}'`);
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "'": "'", "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** The content of a quoted token. Its characters are bytes: they are decoded as UTF-8 here, as strictly as QEMU does. */
function unquote(token: string): string {
  const body = token.slice(1, -1);
  let text = "";
  for (let at = 0; at < body.length; ) {
    const plain = /^[^\\]*/.exec(body.slice(at))?.[0] ?? "";
    text += decode(plain);
    at += plain.length;
    if (at >= body.length) break;
    const [piece, length] = unescapeAt(body, at, token);
    text += piece;
    at += length;
  }
  return text;
}

function decode(bytes: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
  } catch {
    throw new JsonParseError("invalid UTF-8 sequence in string");
  }
}

function unescapeAt(body: string, at: number, token: string): readonly [text: string, length: number] {
  const char = body.charAt(at + 1);
  if (char !== "u") {
    const plain = ESCAPES[char];
    if (plain === undefined) throw new JsonParseError("invalid escape sequence in string");
    return [plain, 2];
  }
  const rest = `${body}${token.charAt(0)}`.slice(at);
  const pair = /^\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}/.exec(rest);
  const single = pair ?? /^\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}/.exec(rest);
  if (single === null) throw new JsonParseError(`${badUnicode(rest)} is not a valid Unicode character`);
  return [JSON.parse(`"${single[0]}"`) as string, single[0].length];
}

/** The part that QEMU quotes: up to the first digit that is none, else the whole escape. */
function badUnicode(rest: string): string {
  return /^\\u[0-9a-fA-F]{0,3}[^0-9a-fA-F]/.exec(rest)?.[0] ?? rest.slice(0, 6);
}
