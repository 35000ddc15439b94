import type { Place, Token } from "./json-lexer.ts";
import { type Json, qemuNumber } from "./json-value.ts";

/** Why tokens are not JSON, in QEMU's words (without `JSON parse error, ` before them), and where. */
export class JsonParseError extends Error {
  /** Undefined if the only mistake is that more tokens are needed. */
  readonly place: Place | undefined;

  constructor(why: string, place?: Place) {
    super(why);
    this.place = place;
  }
}

/** QEMU's words for each mistake: up to 10.0, and since 11.0 (both measured; the version that changed them is not known). */
const WORDS = {
  key: "key is not a string in object",
  colon: "missing : in object pair",
  dict: "expected separator in dict",
  list: "expected separator in list",
};
const NEW_WORDS = { key: "expecting key", colon: "expecting ':'", dict: "expected ',' or '}'", list: "expected ',' or ']'" };

/** The first version that tells the position of a mistake, and has other words. */
export const TELLS_PLACE = 11;

/**
 * Parses the tokens of one whole text. `major`: the version of QEMU whose words and numbers to use.
 *
 * @throws JsonParseError when they are not one JSON value
 */
export function parseTokens(tokens: readonly Token[], major: number): Json {
  return new Parser(tokens, major).value();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #major: number;
  readonly #words: typeof WORDS;
  #at = 0;

  constructor(tokens: readonly Token[], major: number) {
    this.#tokens = tokens;
    this.#major = major;
    this.#words = major < TELLS_PLACE ? WORDS : NEW_WORDS;
  }

  value(): Json {
    const token = this.#tokens[this.#at++];
    switch (token?.kind) {
      case "{":
        return this.#object();
      case "[":
        return this.#list();
      case "string":
        return unquote(token);
      case "number":
        return qemuNumber(token.text, this.#major);
      case "word":
        return keyword(token);
      default:
        throw new JsonParseError("expecting value", token?.place);
    }
  }

  #object(): Json {
    const members = new Map<string, Json>();
    if (this.#next("}")) return members;
    do {
      const key = this.#key();
      this.#need(":", this.#words.colon);
      const value = this.value();
      if (members.has(key)) throw new JsonParseError("duplicate key", this.#tokens[this.#at - 1]?.place);
      members.set(key, value);
    } while (this.#next(","));
    this.#need("}", this.#words.dict);
    return members;
  }

  #key(): string {
    const token = this.#tokens[this.#at];
    if (this.#major >= TELLS_PLACE && token?.kind !== "string") throw new JsonParseError(this.#words.key, token?.place);
    const key = this.value();
    if (typeof key !== "string") throw new JsonParseError(this.#words.key, token?.place);
    return key;
  }

  #list(): Json {
    const items: Json[] = [];
    if (this.#next("]")) return items;
    do items.push(this.value());
    while (this.#next(","));
    this.#need("]", this.#words.list);
    return items;
  }

  #next(kind: Token["kind"]): boolean {
    if (this.#tokens[this.#at]?.kind !== kind) return false;
    this.#at += 1;
    return true;
  }

  #need(kind: Token["kind"], complaint: string): void {
    if (!this.#next(kind)) throw new JsonParseError(complaint, this.#tokens[this.#at]?.place);
  }
}

function keyword({ text, place }: Token): Json {
  if (text === "null") return null;
  if (text === "true" || text === "false") return text === "true";
  throw new JsonParseError(`invalid keyword '${text}'`, place);
}

const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "'": "'", "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** A quoted token that says what it means: no escape, and ASCII only. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

/** The content of a quoted token. Its characters are bytes, which are decoded as UTF-8 here, as strictly as QEMU does. */
function unquote({ text: token, place }: Token): string {
  if (PLAIN.test(token)) return token.slice(1, -1);
  try {
    return unescape(token);
  } catch (error) {
    if (error instanceof JsonParseError) throw new JsonParseError(error.message, place);
    throw error;
  }
}

function unescape(token: string): string {
  const body = token.slice(1, -1);
  let text = "";
  for (let at = 0; at < body.length;) {
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

/** Whether a code point is a noncharacter. It can be encoded, but QEMU does not accept it. */
function isNoncharacter(text: string): boolean {
  const code = text.codePointAt(0) ?? 0;
  return (code & 0xfffe) === 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
}

/** Decodes UTF-8 as QEMU does: a NUL may be encoded as two bytes, so that QEMU's strings contain no zero byte. */
function decode(bytes: string): string {
  try {
    const text = bytes.split("\xc0\x80").map(decodeStrictly).join("\0");
    if (![...text].some(isNoncharacter)) return text;
  } catch {
    // The error below says so.
  }
  throw new JsonParseError("invalid UTF-8 sequence in string");
}

function decodeStrictly(bytes: string): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}

/** A lead byte with those bytes that may follow it, or a byte that can't lead. */
const SEQUENCE =
  /[\xc0-\xdf][\x80-\xbf]?|[\xe0-\xef][\x80-\xbf]{0,2}|[\xf0-\xf7][\x80-\xbf]{0,3}|[\xf8-\xfb][\x80-\xbf]{0,4}|[\xfc\xfd][\x80-\xbf]{0,5}|[\x80-\xff]/g;

/**
 * Bytes (one for each character) as QEMU quotes them in a message: up to the first NUL, with each sequence that is not UTF-8 as U+FFFD.
 * Measured on 5.2 to 11.1.
 */
export function readable(bytes: string): string {
  return (bytes.split("\0", 1)[0] ?? "").replace(SEQUENCE, (it) => {
    try {
      return decode(it);
    } catch {
      return "\ufffd";
    }
  });
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
  const piece = single === null ? undefined : (JSON.parse(`"${single[0]}"`) as string);
  if (single === null || piece === undefined || isNoncharacter(piece))
    throw new JsonParseError(`${readable(single?.[0] ?? rest.slice(0, 6))} is not a valid Unicode character`);
  return [piece, single[0].length];
}
