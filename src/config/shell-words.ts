import { UsageError } from "../errors.ts";

/**
 * Reads the one command in a shell script as words, without running anything: comments, `#!`, quotes, backslashes, and lines that go
 * on after a backslash are understood. What only a shell could tell (`$x`, `$(…)`, `*`, pipes, `&&`, a second command) is refused with
 * the line it is on. A trailing `&` and a leading `exec` are let go. Source: POSIX Shell Command Language, 2.2 and 2.3.
 */
export function readShellWords(text: string): string[] {
  const commands = new WordReader(text).commands().filter((words) => words.length > 0 && !isHarmless(words));
  const [command, second] = commands;
  if (command === undefined) throw refusal("no command is in it", 1, text);
  if (second !== undefined) throw refusal(`a second command, ${JSON.stringify(shorten(second.join(" ")))}, is in it`, 1, text);
  return command[0] === "exec" ? command.slice(1) : command;
}

/** `set -e` and its like change nothing about the command. */
function isHarmless(words: readonly string[]): boolean {
  return words[0] === "set" && words.slice(1).every((word) => /^[-+][a-z]*$|^pipefail$/.test(word));
}

class WordReader {
  readonly #text: string;
  #at = 0;
  /** Undefined between words; an empty quote makes an empty word. */
  #word: string | undefined;
  #words: string[] = [];
  readonly #commands: string[][] = [];

  constructor(text: string) {
    this.#text = text.replaceAll("\r\n", "\n");
  }

  commands(): readonly string[][] {
    while (this.#at < this.#text.length) this.#step(this.#text[this.#at++] ?? "");
    this.#endCommand();
    return this.#commands;
  }

  #step(char: string): void {
    if (char === "\\") this.#escape();
    else if (char === "'") this.#singleQuotes();
    else if (char === '"') this.#doubleQuotes();
    else if (char === " " || char === "\t") this.#endWord();
    else if (char === "\n" || char === ";") this.#endCommand();
    else if (char === "#" && this.#word === undefined) this.#comment();
    else if (char === "&" && /^[ \t]*(\n|$)/.test(this.#text.slice(this.#at))) this.#endCommand();
    else if ("$`".includes(char)) throw this.#refuse(`${char} needs a shell: write out what it stands for`);
    else if ("|&<>()".includes(char)) throw this.#refuse(`${char} needs a shell: only one plain command is read`);
    else if ("*?[".includes(char)) throw this.#refuse(`${char} stands for file names in a shell: quote it, or write them out`);
    else if (char === "~" && this.#word === undefined) throw this.#refuse("~ needs a shell: write out the folder");
    else if (char === "{" && /^[^\s]*(,|\.\.)[^\s]*\}/.test(this.#text.slice(this.#at))) throw this.#refuse("{…} needs a shell: quote it, or write it out");
    else this.#word = (this.#word ?? "") + char;
  }

  #escape(): void {
    const next = this.#text[this.#at++];
    if (next === undefined) throw this.#refuse("the text ends in a backslash");
    if (next !== "\n") this.#word = (this.#word ?? "") + next;
  }

  #singleQuotes(): void {
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) throw this.#refuse("a single quote is never closed");
    this.#word = (this.#word ?? "") + this.#text.slice(this.#at, end);
    this.#at = end + 1;
  }

  #doubleQuotes(): void {
    const start = this.#at;
    let word = this.#word ?? "";
    for (;;) {
      const char = this.#text[this.#at++];
      if (char === undefined) {
        this.#at = start;
        throw this.#refuse("a double quote is never closed");
      }
      if (char === '"') break;
      if ("$`".includes(char)) throw this.#refuse(`${char} needs a shell: write out what it stands for`);
      word += char === "\\" ? this.#escapeInQuotes() : char;
    }
    this.#word = word;
  }

  /** Inside double quotes a backslash is itself, unless one of these follows. */
  #escapeInQuotes(): string {
    const next = this.#text[this.#at] ?? "";
    if (next === "" || !'$`"\\\n'.includes(next)) return "\\";
    this.#at++;
    return next === "\n" ? "" : next;
  }

  #comment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #endWord(): void {
    if (this.#word !== undefined) this.#words.push(this.#word);
    this.#word = undefined;
  }

  #endCommand(): void {
    this.#endWord();
    this.#commands.push(this.#words);
    this.#words = [];
  }

  #refuse(why: string): UsageError {
    return refusal(why, this.#text.slice(0, this.#at).split("\n").length, this.#text);
  }
}

function refusal(why: string, line: number, text: string): UsageError {
  return new UsageError(`command line, line ${line}: ${why}`, { value: text, expected: "one QEMU command, as a script has it" });
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
