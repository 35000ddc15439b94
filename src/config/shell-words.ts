import { UsageError } from "../errors.ts";
import { fromFolder } from "./anchor.ts";
import { isSurelyQemu } from "./emulator.ts";
import { type ScriptPlace, ShellLexer } from "./shell-lexer.ts";

export type { ScriptPlace } from "./shell-lexer.ts";

/** The one command of a script: its words, the folder that it runs in, and notes for the user. */
export interface ScriptCommand {
  readonly words: readonly string[];
  readonly folder: string;
  readonly notes: readonly string[];
}

/**
 * Reads the one command in a shell script as words, without running anything. It understands comments, `#!`, quotes, backslashes and
 * continued lines, also variables and arrays that the script sets to words, `cd`, and the script's own folder. What only a shell could know
 * (`$x` from outside, `$(…)`, `*`, pipes, a second command) is refused, with its line. A trailing `&` and a leading `exec` are dropped.
 * `folder` is the folder that the script is run in. Source: POSIX Shell Command Language, 2.2, 2.3, 2.6, and bash for arrays.
 *
 * @throws UsageError, with the line, when the script has anything else
 */
export function readScript(text: string, folder: string, place?: ScriptPlace): ScriptCommand {
  return new ScriptReader(new ShellLexer(text, place), folder).read();
}

interface Command {
  readonly line: number;
  readonly words: readonly string[];
}

/** Words that begin something that only a shell can run. */
const KEYWORDS: ReadonlySet<string> = new Set(
  "if then else elif fi for while until do done case esac select function { } ! [[ [ test eval source . trap read local declare typeset unset return shift alias".split(
    " ",
  ),
);
/** Commands that do not change how another command runs. */
const HARMLESS = /^(set( [-+][a-z]+( pipefail| errexit| nounset| xtrace)?)*|shopt( -[su])?( \w+)*|:( .*)?|true|wait|exit( \d+)?)$/s;

class ScriptReader {
  readonly #lexer: ShellLexer;
  readonly #commands: Command[] = [];
  readonly #notes: string[] = [];
  #folder: string;
  /** The folder that the command runs in. */
  #where: string;

  constructor(lexer: ShellLexer, folder: string) {
    this.#lexer = lexer;
    this.#folder = this.#where = folder;
    lexer.variables.set("PWD", folder);
  }

  read(): ScriptCommand {
    const lexer = this.#lexer;
    for (;;) {
      lexer.skipBlanks();
      if (lexer.isAtEnd) break;
      if (lexer.take(/[\n;]/) !== undefined) continue;
      const isHarmless = this.#command();
      lexer.skipBlanks();
      // A harmless command succeeds: otherwise the script would not get to its command.
      if (isHarmless && lexer.take(/&&|\|\|[ \t]*(exit|return)([ \t]+\d+)?(?=[ \t]*[\n;]|[ \t]*$)/) !== undefined) continue;
      if (lexer.take(/&[ \t]*(?=\n|$)/) !== undefined) continue;
      this.#refuseOperator();
    }
    return { words: this.#theOne(), folder: this.#where, notes: this.#notes };
  }

  #refuseOperator(): void {
    const operator = this.#lexer.take(/[|&<>()]/);
    if (operator === undefined) return;
    this.#lexer.at--;
    const kept = "<>".includes(operator) ? "; start keeps what QEMU writes" : "";
    throw this.#lexer.refuse(`${operator} needs a shell: only one plain command is read${kept}`);
  }

  /** Reads one command up to its end. True if it does not change how another command runs. */
  #command(): boolean {
    const lexer = this.#lexer;
    const { line } = lexer;
    const isAssigned = this.#assignments();
    const words: string[] = [];
    for (let first = true; ; first = false) {
      lexer.skipBlanks();
      const word = lexer.word();
      if (word === undefined) break;
      words.push(...word.fields);
      // Checked before the rest of the line, which would be refused for another reason.
      if (first && word.plain && KEYWORDS.has(words[0] ?? ""))
        throw lexer.refuse(`${words[0]} needs a shell: only one plain command is read`, line);
      if (first && word.plain && /^(export|readonly)$/.test(words[0] ?? "")) return this.#exported(words[0] ?? "", line);
    }
    if (words.length === 0) return true;
    if (isAssigned.length > 0) {
      throw lexer.refuse(
        `${isAssigned.join(", ")} is set for ${JSON.stringify(words[0])} alone, and a launch config has no environment: take it out, and set it where qmpctl start is called`,
        line,
      );
    }
    if (words[0] === "cd") return this.#changesFolder(words.slice(1), line);
    if (HARMLESS.test(words.join(" "))) return true;
    this.#commands.push({ line, words });
    if (this.#commands.length === 1 || isSurelyQemu(words[words[0] === "exec" ? 1 : 0] ?? "")) this.#where = this.#folder;
    return false;
  }

  /** Reads `NAME=value`, `NAME+=value` and `NAME=(words)`, sets these variables, and returns their names. */
  #assignments(): readonly string[] {
    const lexer = this.#lexer;
    const names: string[] = [];
    for (;;) {
      lexer.skipBlanks();
      const { line } = lexer;
      const found = lexer.assignment();
      if (found === undefined) return names;
      if (["PATH", "IFS", "PWD"].includes(found.name))
        throw lexer.refuse(`${found.name} is set, which decides how the rest is read: write out what follows from it`, line);
      names.push(found.name);
      const old = lexer.variables.get(found.name);
      if (lexer.take(/\(/) !== undefined)
        lexer.variables.set(found.name, [...(found.adds && old !== undefined ? [old].flat() : []), ...this.#list()]);
      else if (typeof old === "object") throw lexer.refuse(`${found.name} is a list: add to it as ${found.name}+=(…)`, line);
      else lexer.variables.set(found.name, (found.adds ? (old ?? "") : "") + (lexer.word(true)?.fields[0] ?? ""));
    }
  }

  /** The words of an array, up to its closing bracket. */
  #list(): readonly string[] {
    const lexer = this.#lexer;
    const { line } = lexer;
    const words: string[] = [];
    for (;;) {
      lexer.skipBlanks();
      if (lexer.take(/\n/) !== undefined) continue;
      if (lexer.take(/\)/) !== undefined) return words;
      const word = lexer.word();
      if (lexer.isAtEnd && word === undefined) throw lexer.refuse("a list is never closed", line);
      if (word === undefined) this.#refuseOperator();
      if (word === undefined) throw lexer.refuse("; is in a list", line);
      words.push(...word.fields);
    }
  }

  /** Reads `export NAME…`. It is noted, because a launch config has no environment. */
  #exported(verb: string, line: number): boolean {
    const lexer = this.#lexer;
    for (;;) {
      const names = this.#assignments();
      const word = names.length > 0 ? undefined : lexer.word();
      const told = [...names, ...(word?.fields ?? [])];
      if (told.length === 0) return true;
      if (!told.every((name) => /^[A-Za-z_]\w*$/.test(name))) throw lexer.refuse(`${verb} ${told.join(" ")}: can't be read`, line);
      if (verb === "export")
        this.#notes.push(
          `line ${line}, export ${told.join(" ")}: a launch config has no environment; if QEMU needs it, set it where qmpctl start is called`,
        );
    }
  }

  #changesFolder(words: readonly string[], line: number): boolean {
    const [folder, more] = words.filter((word) => word !== "--" && word !== "-P");
    if (folder === undefined || more !== undefined || folder.startsWith("-") || folder === "")
      throw this.#lexer.refuse(`cd ${words.join(" ")} needs a shell: write out the folder`, line);
    this.#folder = folder.startsWith("/") ? folder : fromFolder(this.#folder, folder);
    this.#lexer.variables.set("PWD", this.#folder);
    return true;
  }

  #theOne(): readonly string[] {
    const [first, second] = this.#commands;
    if (first === undefined) throw this.#lexer.refuse("it has no command", 1);
    if (second !== undefined) throw this.#refuseMore(second);
    return first.words[0] === "exec" || first.words[0] === "command" ? first.words.slice(1) : first.words;
  }

  #refuseMore(second: Command): UsageError {
    const programs = this.#commands.map(({ words }) => words[["exec", "command"].includes(words[0] ?? "") ? 1 : 0] ?? "");
    const other = this.#commands[programs.findIndex((program) => !isSurelyQemu(program))];
    const [{ line, words }, which] =
      other === undefined || !programs.some(isSurelyQemu) ? [second, "a second"] : [other, other === second ? "a second" : "another"];
    const isRest =
      words[0]?.startsWith("-") === true
        ? ": the line before it does not continue (a backslash has to be its very last character, and a comment ends it)"
        : "";
    return this.#lexer.refuse(`${which} command, ${JSON.stringify(shorten(words.join(" ")))}, is in it${isRest}`, line);
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
