import type { WriteStream } from "node:tty";
import type { Ended } from "../scenarios/stage.ts";
import type { Act, Line, Teller } from "../scenarios/story.ts";

/** What can be written to: a terminal, a pipe, a file. */
export type Paper = Pick<WriteStream, "isTTY" | "columns"> & { write(text: string): unknown };

const CODES = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const;

/** How wide the page is where nobody says. */
const WIDTH = 106;

/** A column is not made narrower than this. */
const NARROWEST = 30;

/** Writes a story down as it is told: the commands as typed, what they said, and what is so then. Colours on terminals only. */
export class Page implements Teller {
  readonly #paper: Paper;
  readonly #colours: boolean;
  #commands = 0;

  constructor(paper: Paper, env: Readonly<Record<string, string | undefined>>) {
    this.#paper = paper;
    this.#colours = paper.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  }

  /** How many commands have been told. */
  get commands(): number {
    return this.#commands;
  }

  act({ title }: Act): void {
    this.say("", this.#paint(title, "bold"), this.#paint("─".repeat(title.length), "dim"));
  }

  line({ say, run }: Line): void {
    this.say(...(say === undefined ? [""] : ["", say]), `${this.#paint("$", "dim")} ${this.#paint(`qmpctl ${run.join(" ")}`, "cyan")}`);
  }

  told({ so, code = 0 }: Line, ended: Ended): void {
    this.#commands += 1;
    this.say(
      ...this.#output(ended),
      `  ${this.#paint("✓", "green")} ${so}${code === 0 || /exit code/.test(so) ? "" : ` (exit code ${code})`}`,
    );
  }

  /** The story is not as told. */
  wrong(why: string): void {
    this.say("", `${this.#paint("✗", "red")} ${why}`);
  }

  say(...lines: readonly string[]): void {
    this.#paper.write(lines.map((line) => `${line}\n`).join(""));
  }

  heading(text: string): void {
    this.say(this.#paint(text, "bold"));
  }

  #output({ stdout, stderr }: Ended): readonly string[] {
    const lines = `${stdout}${stderr}`.trimEnd().split("\n");
    return lines
      .flatMap((line) => wrap(line, Math.min(this.#paper.columns ?? WIDTH, WIDTH) - 4))
      .map((line) => (line === "" ? "" : `    ${line}`));
  }

  #paint(text: string, style: keyof typeof CODES): string {
    return this.#colours ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text;
  }
}

/** Breaks a long line at blanks; what follows stays in the last column of a table's row, else it is indented. */
function wrap(line: string, width: number): readonly string[] {
  if (line.length <= width) return [line];
  const column = line.lastIndexOf("  ", width - NARROWEST) + 2;
  const indent = column > 8 ? column : 4;
  const at = line.lastIndexOf(" ", width);
  if (at <= indent) return [line];
  return [line.slice(0, at), ...wrap(" ".repeat(indent) + line.slice(at + 1), width)];
}
