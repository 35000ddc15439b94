/** One token. `kind` is the structural character, or the kind of value. `text` is as it arrived, one character for each byte. */
export interface Token {
  readonly kind: "{" | "}" | "[" | "]" | ":" | "," | "string" | "number" | "word";
  readonly text: string;
  readonly place: Place;
}

/** Where QEMU says that something begins; line and column count from 1. As in QEMU, after a number or a word the column is one too high. */
export interface Place {
  readonly line: number;
  /** In bytes. */
  readonly column: number;
}

/** A token, or text that can't begin a token. */
export type Lexed = { readonly token: Token } | { readonly stray: string; readonly place: Place };

type State = "start" | "recovery" | '"' | "'" | '"\\' | "'\\" | "-" | "0" | "1" | "1." | "1.1" | "e" | "e+" | "e1" | "word";
/** `take`: this byte is the last one of the token. `before`: the token ended before this byte. */
type Next = State | "take" | "before" | "stray";

const STRUCTURE = "{}[]:,";
const BACKSLASH = 0x5c;
const DIGIT = /[0-9]/;

/**
 * Turns bytes into tokens as QEMU's own lexer does, with its mistakes: after a stray character it skips everything up to a structural or a
 * control character, so one bad line can cause several errors, or swallow a good request. Source: QEMU's json-lexer, measured on 7.2.
 */
export class JsonLexer {
  #state: State = "start";
  #text = "";
  #line = 1;
  #column = 0;
  /** Where the next token begins. */
  #place: Place = { line: 1, column: 1 };

  /** Takes one byte (0 to 255), and returns the tokens or the error that it completes: two at most. */
  take(byte: number): readonly Lexed[] {
    const char = String.fromCharCode(byte);
    this.#column = char === "\n" ? 0 : this.#column + 1;
    if (char === "\n") this.#line += 1;
    return this.#take(char);
  }

  /**
   * Takes at once the plain characters of a string that begin at `at`, which is most of what a monitor says, and returns how many there
   * were. What may be more than itself (quotes, escapes, bytes that are not ASCII) is left to `take`.
   */
  takePlain(bytes: Uint8Array, at: number): number {
    if (this.#state !== '"' && this.#state !== "'") return 0;
    const quote = this.#state.charCodeAt(0);
    let end = at;
    while (end < bytes.length && isPlain(bytes[end] ?? 0, quote)) end += 1;
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString("latin1");
    this.#column += end - at;
    return end - at;
  }

  #take(char: string): readonly Lexed[] {
    const next = transition(this.#state, char);
    if (next === "before") return [...this.#token(), ...this.#take(char)];
    const recovered = this.#state === "recovery" && next === "start";
    const idle = next === "recovery" || (this.#state === "start" && next === "start") || recovered;
    if (idle) this.#begin(next as State);
    else this.#text += char;
    if (recovered) return this.#take(char);
    if (next === "take") return this.#token();
    if (next === "stray") return this.#stray();
    this.#state = next;
    return [];
  }

  #begin(state: State): void {
    this.#text = "";
    this.#state = state;
    this.#place = { line: this.#line, column: this.#column + 1 };
  }

  #token(): readonly Lexed[] {
    const token = { kind: kindOf(this.#text), text: this.#text, place: this.#place };
    this.#begin("start");
    return [{ token }];
  }

  #stray(): readonly Lexed[] {
    const found = { stray: this.#text, place: this.#place };
    this.#begin("recovery");
    return [found];
  }
}

function isPlain(byte: number, quote: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== quote && byte !== BACKSLASH;
}

function kindOf(text: string): Token["kind"] {
  const first = text.charAt(0);
  if (STRUCTURE.includes(first)) return first as Token["kind"];
  if (first === '"' || first === "'") return "string";
  return /[a-z]/.test(first) ? "word" : "number";
}

function transition(state: State, char: string): Next {
  switch (state) {
    case "start":
      return begin(char);
    case "recovery":
      return STRUCTURE.includes(char) || (char < " " && char !== "\t") || char >= "\xfe" ? "start" : "recovery";
    case '"':
    case "'":
      return char === state ? "take" : inString(state, char);
    case '"\\':
      return inString('"', char) === "stray" ? "stray" : '"';
    case "'\\":
      return inString("'", char) === "stray" ? "stray" : "'";
    case "word":
      return /[a-z]/.test(char) ? "word" : "before";
    default:
      return inNumber(state, char);
  }
}

function begin(char: string): Next {
  if (STRUCTURE.includes(char)) return "take";
  if (char === '"' || char === "'" || char === "-" || char === "0") return char;
  if (DIGIT.test(char)) return "1";
  if (/[a-z]/.test(char)) return "word";
  return /[ \t\r\n]/.test(char) ? "start" : "stray";
}

function inString(quote: '"' | "'", char: string): Next {
  if (char < " " || char >= "\xfe") return "stray";
  return char === "\\" ? `${quote}\\` : quote;
}

function inNumber(state: State, char: string): Next {
  const digit = DIGIT.test(char);
  if (state === "-") return digit ? (char === "0" ? "0" : "1") : "stray";
  if (state === "0" && digit) return "stray";
  if (state === "1" && digit) return "1";
  if (state === "1." || state === "1.1") {
    if (digit) return "1.1";
    if (state === "1.") return "stray";
  }
  if (state === "e" && (char === "+" || char === "-")) return "e+";
  if (state === "e" || state === "e+") return digit ? "e1" : "stray";
  if (state === "e1") return digit ? "e1" : "before";
  if (char === "." && state !== "1.1") return "1.";
  return char === "e" || char === "E" ? "e" : "before";
}
