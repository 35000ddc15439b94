import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { control, harmless, isOneLine } from "../harmless.ts";
import type { Io, Sink } from "../verb.ts";
import type { Completion } from "./complete.ts";
import { Search } from "./search.ts";

/** What happens on the input line. */
export interface Keyboard {
  complete(line: string): Promise<Completion>;
  line(line: string): void;
  /** ^C. */
  interrupt(): void;
  /** ^D, or the terminal is gone. */
  close(): void;
}

type Key = { readonly ctrl?: boolean; readonly meta?: boolean; readonly name?: string };

/** The part of readline's interface that Node's own REPL uses for its search. */
interface Editor {
  line: string;
  cursor: number;
  _ttyWrite(typed: string | undefined, key: Key): void;
}

/** A terminal with the input line at the bottom, and all output above it. */
export class Screen {
  /** Earlier lines, newest first. This is readline's own list: change it in place. */
  remembered: string[];
  readonly #io: Io;
  readonly #editor: Interface;
  #search: { readonly search: Search; readonly line: string; readonly cursor: number } | undefined;
  #searched = "";
  /** The prompt outside a search. */
  #prompt = "";
  #closed = false;
  /** Whether the input line is shown. */
  #open = false;

  constructor(io: Io, remembered: string[], keyboard: Keyboard) {
    this.#io = io;
    this.remembered = remembered;
    this.#editor = createInterface({
      input: io.stdin,
      output: asStream(io.stdout),
      terminal: true,
      history: remembered,
      removeHistoryDuplicates: true,
      historySize: 1000,
      completer: (line: string, done: (error: null, result: [string[], string]) => void) => {
        keyboard.complete(line).then(
          // A name in QEMU may have control characters, and readline would draw them.
          ([hits, word]) => done(null, [hits.filter(isOneLine), word]),
          () => done(null, [[], line]),
        );
      },
    });
    this.#editor.on("history", (history: string[]) => (this.remembered = history));
    this.#editor.on("line", (line) => keyboard.line(line));
    this.#editor.on("SIGINT", () => keyboard.interrupt());
    this.#editor.on("close", () => keyboard.close());
    const editor = this.#hooks;
    const { _ttyWrite: write } = editor;
    editor._ttyWrite = (typed, key) => {
      if (!this.#searchKey(typed, key)) write.call(editor, typed, key);
    };
  }

  get #hooks(): Editor {
    return this.#editor as unknown as Editor;
  }

  /** The input line so far. */
  get typed(): string {
    return this.#editor.line;
  }

  /** Writes above the input line, and draws that again. */
  print(text: string): void {
    if (this.#closed) return this.#io.stdout.write(text);
    const { rows } = this.#editor.getCursorPos();
    this.#io.stdout.write(`${control(`${rows > 0 ? `\u001b[${rows}A` : ""}\r\u001b[J`)}${text}${"\n".repeat(this.#believedRows())}`);
    this.#editor.prompt(true);
  }

  /** Draws the input line with this prompt. */
  prompt(prompt: string): void {
    if (this.#closed) return;
    this.#open = true;
    this.#show(prompt);
    this.#editor.prompt(true);
  }

  #show(prompt: string): void {
    this.#prompt = prompt;
    if (this.#search === undefined) this.#editor.setPrompt(harmless(prompt));
  }

  /** Hides the prompt while a command runs. The user can still type ahead. */
  hidePrompt(): void {
    this.#open = false;
    this.#show("");
  }

  /** Leaves the input line where it is, writes below it, and starts a new line. */
  drop(said: string, prompt: string): void {
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#io.stdout.write(`${said}${"\n".repeat(this.#believedRows())}`);
    this.#show(prompt);
    this.#editor.write(null, { ctrl: true, name: "u" });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The next output starts on a line of its own.
    if (this.#open || this.#editor.line !== "") this.#io.stdout.write("\n");
    this.#editor.close();
  }

  /** Handles ^R, which readline does not know, and the keys of a search. Returns whether the key was handled. */
  #searchKey(typed: string | undefined, key: Key): boolean {
    if (this.#closed) return false;
    const isSearch = key.ctrl === true && key.name === "r";
    if (this.#search === undefined) {
      if (!isSearch) return false;
      const { line, cursor } = this.#hooks;
      this.#search = { search: new Search(this.remembered, line, this.#searched), line, cursor };
      this.#drawSearch();
      return true;
    }
    const { search } = this.#search;
    if (isSearch) search.older();
    else if (key.name === "backspace") search.shorten();
    else if (isText(typed, key)) search.add(typed);
    else return this.#endSearch(key);
    this.#drawSearch();
    return true;
  }

  /** Ends a search. Enter runs the line found, ^G and ^C restore the line before, any other key edits the line found. */
  #endSearch(key: Key): boolean {
    const { search, line, cursor } = this.#search ?? { search: new Search([], ""), line: "", cursor: 0 };
    const isBack = key.ctrl === true && (key.name === "g" || key.name === "c");
    this.#searched = search.text === "" ? this.#searched : search.text;
    this.#search = undefined;
    this.#editor.setPrompt(harmless(this.#prompt));
    this.#put(isBack ? line : (search.found ?? line), isBack ? cursor : Infinity);
    return isBack || key.name === "escape" || (key.ctrl === true && key.name === "j");
  }

  #drawSearch(): void {
    const { search, line } = this.#search ?? { search: new Search([], ""), line: "" };
    if (search.failed) this.#io.stdout.write(control("\u0007"));
    this.#editor.setPrompt(`(${search.failed ? "failed " : ""}reverse-i-search)\`${search.text}': `);
    const shown = search.found ?? line;
    this.#put(shown, Math.max(0, shown.indexOf(search.text)));
  }

  #put(line: string, cursor: number): void {
    this.#hooks.line = line;
    this.#hooks.cursor = Math.min(cursor, line.length);
    this.#editor.prompt(true);
  }

  /** Readline moves up by this many rows before it draws, so they must exist. Its count is not always right. */
  #believedRows(): number {
    return (this.#editor as unknown as { readonly prevRows?: number }).prevRows ?? this.#editor.getCursorPos().rows;
  }
}

/** Whether a key is text. */
function isText(typed: string | undefined, { ctrl, meta, name }: Key): typed is string {
  return ctrl !== true && meta !== true && name !== "return" && name !== "enter" && typed !== undefined && typed !== "" && isOneLine(typed);
}

/** The terminal commands that readline draws with: cursor moves, wiping, the prompt's colours. Any other one is not from readline. */
const DRAWING = /\u001b\[[\d;]*[A-HJKm]|\r|\u0007/g;

/** A sink as the stream that readline writes to. */
function asStream(sink: Sink): Writable {
  const stream = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      sink.write(text.replace(DRAWING, control));
      done();
    },
  });
  Object.defineProperty(stream, "columns", { get: () => sink.columns ?? 80 });
  return Object.defineProperty(stream, "isTTY", { value: true });
}
