import { JsonLexer, type Place, type Token } from "./json-lexer.ts";
import { JsonParseError, parseTokens, readable, TELLS_PLACE } from "./json-parser.ts";
import type { Json } from "./json-value.ts";

/** What a monitor reads next: a value, or a complaint. */
export type Input = { readonly value: Json } | { readonly error: string };

/** QEMU's own limits on one message. */
const TOKEN_BYTES = 64 << 20;
const TOKEN_COUNT = 2 << 20;
const NESTING = 1024;

/**
 * The reading half of a monitor: takes bytes, and returns messages and complaints one at a time. As in QEMU, a suspended monitor is not
 * asked for the next one, and what is not read stays unread. A message ends where its braces and brackets balance; line ends mean nothing.
 */
export class JsonInput {
  readonly #major: number;
  readonly #lexer = new JsonLexer();
  #unread: Uint8Array = new Uint8Array();
  #at = 0;
  #ready: Input[] = [];
  #tokens: Token[] = [];
  #bytes = 0;
  #braces = 0;
  #brackets = 0;

  /** `major`: the version of QEMU to read as. Numbers were printed differently before 6, and complaints have a position since 11. */
  constructor(major = 10) {
    this.#major = major;
  }

  /** Adds bytes; a message may be cut anywhere. */
  feed(bytes: Uint8Array): void {
    const rest = this.#unread.subarray(this.#at);
    const joined = new Uint8Array(rest.length + bytes.length);
    joined.set(rest);
    joined.set(bytes, rest.length);
    this.#unread = joined;
    this.#at = 0;
  }

  /** How many bytes have not been read. */
  get unread(): number {
    return this.#unread.length - this.#at;
  }

  /** Whether part of a message has been read. */
  get unfinished(): boolean {
    return this.#tokens.length > 0;
  }

  /** The next message or complaint; undefined until more bytes come. */
  next(): Input | undefined {
    while (this.#ready.length === 0 && this.#at < this.#unread.length) {
      this.#at += this.#lexer.takePlain(this.#unread, this.#at);
      if (this.#at === this.#unread.length) break;
      for (const lexed of this.#lexer.take(this.#unread[this.#at++] ?? 0)) {
        if ("stray" in lexed) this.#astray(lexed.stray, lexed.place);
        else this.#add(lexed.token);
      }
    }
    return this.#ready.shift();
  }

  #add(token: Token): void {
    this.#braces += token.kind === "{" ? 1 : token.kind === "}" ? -1 : 0;
    this.#brackets += token.kind === "[" ? 1 : token.kind === "]" ? -1 : 0;
    this.#bytes += token.text.length;
    if (this.#bytes > TOKEN_BYTES) return this.#fail("JSON token size limit exceeded");
    if (this.#tokens.length + 1 > TOKEN_COUNT) return this.#fail("JSON token count limit exceeded");
    if (this.#braces + this.#brackets > NESTING) return this.#fail("JSON nesting depth limit exceeded");
    this.#tokens.push(token);
    const open = (this.#braces > 0 || this.#brackets > 0) && this.#braces >= 0 && this.#brackets >= 0;
    if (!open) this.#finish();
  }

  #finish(): void {
    const [input] = this.#parsed();
    if (input !== undefined) this.#ready.push(input);
    this.#reset();
  }

  /** What the tokens so far make: a value or a complaint; nothing if more tokens are needed. */
  #parsed(): readonly Input[] {
    try {
      return [{ value: parseTokens(this.#tokens, this.#major) }];
    } catch (error) {
      if (!(error instanceof JsonParseError)) throw error;
      return error.place === undefined ? [] : [{ error: this.#complaint(error.message, error.place) }];
    }
  }

  /** Since version 11 QEMU parses tokens as they arrive: a mistake before the stray text is reported in its place. */
  #astray(stray: string, place: Place): void {
    const [before] = this.#major < TELLS_PLACE ? [] : this.#parsed();
    this.#fail(before !== undefined && "error" in before ? before.error : this.#complaint(`stray '${readable(stray)}'`, place));
  }

  #complaint(why: string, { line, column }: Place): string {
    return `${this.#major < TELLS_PLACE ? "" : `${line}:${column}: `}JSON parse error, ${why}`;
  }

  #fail(error: string): void {
    this.#ready.push({ error });
    this.#reset();
  }

  #reset(): void {
    this.#tokens = [];
    this.#bytes = 0;
    this.#braces = 0;
    this.#brackets = 0;
  }
}

/**
 * Parses one JSON text exactly, for what is known to be one message: a line of a transcript, an argument.
 *
 * @throws JsonParseError when it is not one whole JSON text
 */
export function parseJson(text: string): Json {
  const input = new JsonInput();
  input.feed(new TextEncoder().encode(`${text}\n`));
  const found = input.next();
  if (found === undefined) throw new JsonParseError("the text ends before the message does");
  if ("error" in found) throw new JsonParseError(found.error);
  if (input.next() !== undefined || input.unfinished) throw new JsonParseError("something follows the message");
  return found.value;
}
