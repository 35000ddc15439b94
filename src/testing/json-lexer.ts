/** One token: `kind` is the structural character itself, or what sort of value it is. `text` is as it came, one character a byte. */
export interface Token {
  readonly kind: "{" | "}" | "[" | "]" | ":" | "," | "string" | "number" | "word";
  readonly text: string;
}

/** A token, or the text that no token begins with. */
export type Lexed = { readonly token: Token } | { readonly stray: string };

type State = "start" | "recovery" | '"' | "'" | '"\\' | "'\\" | "-" | "0" | "1" | "1." | "1.1" | "e" | "e+" | "e1" | "word";
/** `take`: this byte ends the token and belongs to it; `before`: the token ended before this byte. */
type Next = State | "take" | "before" | "stray";

const STRUCTURE = "{}[]:,";
const DIGIT = /[0-9]/;

/**
 * Bytes to tokens as QEMU's own lexer does it, mistakes included: after a stray character everything is skipped up to a structural or a
 * control character, so that one bad line can give several errors or swallow a good request. Rules R14 to R24, measured on 7.2.
 */
export class JsonLexer {
  #state: State = "start";
  #text = "";

  /** Takes one byte (0 to 255); gives the tokens or the error that it completes: at most two. */
  take(byte: number): readonly Lexed[] {
    const char = String.fromCharCode(byte);
    const next = transition(this.#state, char);
    if (next === "before") return [...this.#token(), ...this.take(byte)];
    if (this.#state !== "recovery" && !(this.#state === "start" && next === "start")) this.#text += char;
    if (next === "take") return this.#token();
    if (next === "stray") return this.#stray();
    if (this.#state === "recovery" && next === "start" && STRUCTURE.includes(char)) {
      this.#state = "start";
      return this.take(byte);
    }
    this.#state = next;
    return [];
  }

  #token(): readonly Lexed[] {
    const text = this.#text;
    this.#text = "";
    this.#state = "start";
    return [{ token: { kind: kindOf(text), text } }];
  }

  #stray(): readonly Lexed[] {
    const stray = this.#text;
    this.#text = "";
    this.#state = "recovery";
    return [{ stray }];
  }
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
