import type { WriteStream } from "node:tty";
import type { Ended } from "../scenarios/stage.ts";
import type { Act, Line, Teller } from "../scenarios/story.ts";

/** A place to write to: a terminal, a pipe or a file. */
export type Paper = Pick<WriteStream, "isTTY" | "columns"> & { write(text: string): unknown };

const CODES = { bold: 1, dim: 2, red: 31, green: 32, cyan: 36 } as const;

/** The default width of the page. */
const WIDTH = 106;

/** The smallest width of a column. */
const NARROWEST = 30;

/** Writes a story: the commands as typed, their output, and the state after each. Only terminals get colours. */
export class Page implements Teller {
  readonly #paper: Paper;
  readonly #colours: boolean;
  #commands = 0;

  constructor(paper: Paper, env: Readonly<Record<string, string | undefined>>) {
    this.#paper = paper;
    this.#colours = paper.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  }

  /** How many commands were run. */
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

  /** Says that the story went wrong. */
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

/** Breaks a long line at blanks. The rest is indented, to the last column if the line is a row of a table. */
function wrap(line: string, width: number): readonly string[] {
  if (line.length <= width) return [line];
  const column = line.lastIndexOf("  ", width - NARROWEST) + 2;
  const indent = column > 8 ? column : 4;
  const at = line.lastIndexOf(" ", width);
  if (at <= indent) return [line];
  return [line.slice(0, at), ...wrap(" ".repeat(indent) + line.slice(at + 1), width)];
}
