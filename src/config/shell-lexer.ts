import { UsageError } from "../errors.ts";
import { WordBuilder } from "./word-builder.ts";

/** Where a script is. */
export interface ScriptPlace {
  /** The folder that the script is in, and the real folder if a link leads to the script; both absolute. */
  readonly own: string;
  readonly real: string;
}

/** The variables that a script has set so far. An array is a list of words. */
export type Variables = Map<string, string | readonly string[]>;

/** The words that one word of a script expands to: none, one or several. `plain`: nothing in it was quoted or expanded. */
export interface Fields {
  readonly fields: readonly string[];
  readonly plain: boolean;
}

const S0 = String.raw`"?(?:\$0|\$\{0\}|\$BASH_SOURCE|\$\{BASH_SOURCE(?:\[0\])?\})"?`;
const DIRNAME = String.raw`(?:\$\([ \t]*dirname[ \t]+(?:--[ \t]+)?${S0}[ \t]*\)|\$\{0%/\*\})`;
const QUIET = String.raw`(?:[ \t]*(?:>|&>)[ \t]*/dev/null)?(?:[ \t]*2>(?:&1|[ \t]*/dev/null))?`;
/** The ways in which scripts ask for their own folder. */
const OWN_FOLDER: readonly (readonly [RegExp, keyof ScriptPlace])[] = [
  [
    new RegExp(String.raw`\$\([ \t]*cd[ \t]+(?:-P[ \t]+|--[ \t]+)*"?${DIRNAME}"?${QUIET}[ \t]*(?:&&|;)[ \t]*pwd(?:[ \t]+-P)?[ \t]*\)`, "y"),
    "own",
  ],
  [
    new RegExp(
      String.raw`\$\([ \t]*dirname[ \t]+(?:--[ \t]+)?"?\$\([ \t]*(?:readlink[ \t]+-f|realpath)[ \t]+(?:--[ \t]+)?${S0}[ \t]*\)"?[ \t]*\)`,
      "y",
    ),
    "real",
  ],
  [new RegExp(DIRNAME, "y"), "own"],
];

/** Reads the words of a shell script one after another. What only a shell could expand is refused, with its line. */
export class ShellLexer {
  readonly #text: string;
  readonly #place: ScriptPlace | undefined;
  readonly variables: Variables = new Map();
  at = 0;

  constructor(text: string, place: ScriptPlace | undefined) {
    this.#text = text.replaceAll("\r\n", "\n");
    this.#place = place;
  }

  get line(): number {
    return this.#text.slice(0, this.at).split("\n").length;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }

  /** Takes what comes next if it matches, and moves past it. */
  take(form: RegExp): string | undefined {
    const sticky = new RegExp(form.source, "y");
    sticky.lastIndex = this.at;
    const [found] = sticky.exec(this.#text) ?? [];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  /** Moves past blanks, continued lines, and a comment. */
  skipBlanks(): void {
    while (this.take(/[ \t]+|\\\n/) !== undefined);
    if (this.#text[this.at] === "#") this.take(/[^\n]*/);
  }

  /** `NAME=` or `NAME+=` before a value. */
  assignment(): { readonly name: string; readonly adds: boolean } | undefined {
    const found = this.take(/[A-Za-z_]\w*\+?=/);
    return found === undefined ? undefined : { name: found.replace(/\+?=$/, ""), adds: found.endsWith("+=") };
  }

  /** The next word, up to a blank or an operator. A value after `NAME=` is never split. */
  word(isValue = false): Fields | undefined {
    const word = new WordBuilder(isValue);
    const start = this.at;
    for (;;) {
      const char = this.#text[this.at];
      if (char === undefined || " \t\n;&|<>()".includes(char)) break;
      this.at++;
      if (char === "\\") this.#escape(word);
      else if (char === "'") this.#singleQuotes(word);
      else if (char === '"') this.#doubleQuotes(word);
      else if (char === "$" || char === "`") this.#expansion(char, word, false);
      else word.addPlain(this.#literal(char, word, isValue));
    }
    return this.at === start ? undefined : { fields: word.end(), plain: word.isPlain };
  }

  refuse(why: string, line: number = this.line): UsageError {
    return new UsageError(`command line, line ${line}: ${why}; or run it, then adopt what it starts: qmpctl define --pid PID`, {
      value: this.#text,
      expected: "one QEMU command, as a script has it",
    });
  }

  #literal(char: string, word: WordBuilder, isValue: boolean): string {
    if ("*?[".includes(char) && !isValue) throw this.refuse(`${char} stands for file names in a shell: quote it, or write them out`);
    // Some shells expand ~ after `NAME=` and `:` too.
    const isFolder =
      word.isEmpty || (word.isPlain && /^([A-Za-z_]\w*=|[A-Za-z_]\w*=.*:)$/s.test(word.text)) || (isValue && /:$/.test(word.text));
    if (char === "~" && isFolder) throw this.refuse("~ needs a shell: write out the folder");
    if (char === "{" && !isValue && /^[^\s]*(,|\.\.)[^\s]*\}/.test(this.#text.slice(this.at)))
      throw this.refuse("{…} needs a shell: quote it, or write it out");
    return char;
  }

  #escape(word: WordBuilder): void {
    const next = this.#text[this.at++];
    if (next === undefined) throw this.refuse("the text ends in a backslash");
    if (next !== "\n") word.addQuoted(next);
  }

  #singleQuotes(word: WordBuilder): void {
    const end = this.#text.indexOf("'", this.at);
    if (end < 0) throw this.refuse("a single quote is never closed");
    word.addQuoted(this.#text.slice(this.at, end));
    this.at = end + 1;
  }

  #doubleQuotes(word: WordBuilder): void {
    const start = this.at;
    const lists = word.lists;
    let isEmpty = true;
    for (;;) {
      const char = this.#text[this.at++];
      if (char === undefined) {
        this.at = start;
        throw this.refuse("a double quote is never closed");
      }
      if (char === '"') break;
      if (char === "$" || char === "`") this.#expansion(char, word, true);
      else word.addQuoted(char === "\\" ? this.#escapeInQuotes() : char);
      isEmpty = false;
    }
    // An empty pair of quotes is an empty word; "$@" without arguments is no word.
    if (isEmpty || lists === word.lists) word.addQuoted("");
  }

  /** Inside double quotes a backslash stands for itself, unless one of these characters follows. */
  #escapeInQuotes(): string {
    const next = this.#text[this.at] ?? "";
    if (next === "" || !'$`"\\\n'.includes(next)) return "\\";
    this.at++;
    return next === "\n" ? "" : next;
  }

  #expansion(char: string, word: WordBuilder, isQuoted: boolean): void {
    const value = char === "`" ? undefined : this.#known(isQuoted);
    if (value === undefined) throw this.refuse(`${char} needs a shell: write out what it stands for`);
    const names = isQuoted ? undefined : [value].flat().find((each) => /[*?[]/.test(each));
    if (names !== undefined)
      throw this.refuse(`${JSON.stringify(names)} stands for file names in a shell where it is not quoted: put "…" around it`);
    if (typeof value !== "string") word.addList(value, isQuoted);
    else if (isQuoted) word.addQuoted(value);
    else word.addSplit(value);
  }

  /** The value after a `$`, if it is known for certain. Inside quotes, a list is one text with `*`, and its words with `@`. */
  #known(isQuoted: boolean): string | readonly string[] | undefined {
    const dollar = this.at - 1;
    for (const [form, which] of this.#place === undefined ? [] : OWN_FOLDER) {
      form.lastIndex = dollar;
      const [found] = form.exec(this.#text) ?? [];
      if (found === undefined) continue;
      this.at = dollar + found.length;
      return this.#place?.[which];
    }
    // The script is run without arguments, so these are empty.
    const none = this.take(/[@*]|\{[@*]\}/);
    if (none !== undefined) return isQuoted && none.includes("*") ? "" : [];
    const all = this.take(/\{[A-Za-z_]\w*\[[@*]\]\}/);
    const name = (all ?? this.take(/[A-Za-z_]\w*|\{[A-Za-z_]\w*\}/))?.replace(/[{}]|\[.*/g, "");
    if (name === undefined) return undefined;
    const value = this.variables.get(name);
    if (value === undefined) throw this.refuse(`$${name}: $ needs a shell, and no line before says what it stands for: write it out`);
    if (all !== undefined) {
      const list = typeof value === "string" ? [value] : value;
      return isQuoted && all.includes("*") ? list.join(" ") : list;
    }
    return typeof value === "string" ? value : value[0];
  }
}
