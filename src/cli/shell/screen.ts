import { createInterface, type Interface } from "node:readline";
import { Writable } from "node:stream";
import { control, harmless, isOneLine } from "../harmless.ts";
import type { Io, Sink } from "../verb.ts";
import type { Completion } from "./complete.ts";
import { Search } from "./search.ts";

/** What happens at the line that is being typed. */
export interface Keyboard {
  complete(line: string): Promise<Completion>;
  line(line: string): void;
  /** ^C. */
  interrupt(): void;
  /** ^D, or the terminal is gone. */
  close(): void;
}

/** A terminal with a line that is being typed at its end, and everything else above it. */
export class Screen {
  /** The lines typed before, newest first: readline's own list, to be changed in place. */
  remembered: string[];
  readonly #io: Io;
  readonly #editor: Interface;
  readonly #search = new Search();
  #closed = false;
  /** Whether the line stands there to be typed on. */
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
          // What QEMU calls a thing may be what no keyboard types: readline would draw it as it is.
          ([hits, word]) => done(null, [hits.filter(isOneLine), word]),
          () => done(null, [[], line]),
        );
      },
    });
    this.#editor.on("history", (history: string[]) => (this.remembered = history));
    this.#editor.on("line", (line) => keyboard.line(line));
    this.#editor.on("SIGINT", () => keyboard.interrupt());
    this.#editor.on("close", () => keyboard.close());
    io.stdin.on("keypress", this.#keyPressed);
  }

  /** What is typed of the line so far. */
  get typed(): string {
    return this.#editor.line;
  }

  /** Writes above the line that is being typed, and draws that again. */
  print(text: string): void {
    if (this.#closed) return this.#io.stdout.write(text);
    const { rows } = this.#editor.getCursorPos();
    this.#io.stdout.write(`${control(`${rows > 0 ? `\u001b[${rows}A` : ""}\r\u001b[J`)}${text}${"\n".repeat(this.#believedRows())}`);
    this.#editor.prompt(true);
  }

  /** Draws the line, with this before it. */
  prompt(prompt: string): void {
    if (this.#closed) return;
    this.#open = true;
    this.#editor.setPrompt(harmless(prompt));
    this.#editor.prompt(true);
  }

  /** While a command runs, what is typed ahead has nothing before it. */
  hidePrompt(): void {
    this.#open = false;
    this.#editor.setPrompt("");
  }

  /** Leaves the typed line where it is, says something below it, and begins a new one. */
  drop(said: string, prompt: string): void {
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#io.stdout.write(`${said}${"\n".repeat(this.#believedRows())}`);
    this.#editor.setPrompt(harmless(prompt));
    this.#editor.write(null, { ctrl: true, name: "u" });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#io.stdin.off("keypress", this.#keyPressed);
    // Whatever comes next begins on a line of its own.
    if (this.#open || this.#editor.line !== "") this.#io.stdout.write("\n");
    this.#editor.close();
  }

  /** ^R, which readline does not know. */
  readonly #keyPressed = (_: unknown, key: { readonly ctrl?: boolean; readonly name?: string } | undefined): void => {
    if (this.#closed) return;
    if (key?.ctrl !== true || key.name !== "r") return this.#search.forget();
    const found = this.#search.back(this.#editor.line, this.remembered);
    if (found === undefined) return this.#io.stdout.write(control("\u0007"));
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#editor.write(null, { ctrl: true, name: "u" });
    this.#editor.write(found);
  };

  /** Readline goes up by so many rows before it draws, so that they have to be there; it is not always right about them. */
  #believedRows(): number {
    return (this.#editor as unknown as { readonly prevRows?: number }).prevRows ?? this.#editor.getCursorPos().rows;
  }
}

/** What readline draws with: moves of the cursor, wiping, the prompt's colours. Any other command to the terminal is none of its own. */
const DRAWING = /\u001b\[[\d;]*[A-HJKm]|\r|\u0007/g;

/** A sink as the stream that readline draws on. */
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
