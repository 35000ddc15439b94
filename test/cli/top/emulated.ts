import { widthOf } from "../../../src/cli/top/text.ts";

/** A terminal that shows what a program drew: as much of one as top uses, and no more. What it does not know makes a test fail. */
export class Emulated {
  readonly columns: number;
  readonly rows: number;
  /** One text for each column: a wide character is in the first of its two. */
  #cells: string[][];
  #primary: string[][];
  #saved: readonly [row: number, column: number] = [0, 0];
  #row = 0;
  #column = 0;
  isAlternate = false;
  isCursorShown = true;
  wraps = true;
  /** Whether the last piece drawn had a look. */
  #isPlain = true;
  /** How many bytes came. */
  bytes = 0;
  /** The beginning of a command whose end has not come yet. */
  #begun = "";

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = this.#blank();
    this.#primary = this.#cells;
  }

  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** What is seen, without blanks at the ends of lines. */
  get lines(): readonly string[] {
    return this.#cells.map((row) => row.join("").trimEnd());
  }

  get text(): string {
    return `${this.lines.join("\n")}\n`;
  }

  /** Takes what a program wrote. @throws Error for a sequence that it does not know */
  take(output: string): void {
    this.bytes += Buffer.byteLength(output);
    const all = this.#begun + output;
    this.#begun = /\u001b(\[[?>]?[\d;]*)?$/.exec(all)?.[0] ?? "";
    const whole = all.slice(0, all.length - this.#begun.length);
    for (const [piece] of whole.matchAll(/\u001b\[[?>]?[\d;]*[A-Za-z]|\u001b[^[]|[^\u001b][\p{Mn}\p{Me}]*/gu)) {
      if (piece.startsWith("\u001b[")) this.#obey(piece.slice(2, -1), piece.at(-1) ?? "");
      else if (piece === "\r") this.#column = 0;
      else if (piece === "\n") this.#lineFeed();
      else this.#put(piece);
    }
  }

  #obey(given: string, what: string): void {
    const numbers = given.split(";").map((each) => Number.parseInt(each, 10) || 0);
    const [first = 0, second = 0] = numbers;
    if (what === "H") [this.#row, this.#column] = [Math.max(1, first) - 1, Math.max(1, second) - 1];
    else if (what === "m") this.#isPlain = given === "" || given === "0";
    else if (what === "K" && first === 0) this.#cells[this.#row]?.fill(" ", this.#column);
    else if (what === "J" && first === 2) this.#cells = this.#cells.map((row) => row.map(() => " "));
    else if (given === "?1049") this.#alternate(what === "h");
    else if (given === "?25") this.isCursorShown = what === "h";
    else if (given === "?7") this.wraps = what === "h";
    else throw new Error(`a terminal's command that it should not need: ${JSON.stringify(given + what)}`);
  }

  #alternate(isOn: boolean): void {
    if (isOn && !this.isAlternate) [this.#primary, this.#saved] = [this.#cells, [this.#row, this.#column]];
    if (!isOn && this.isAlternate) [this.#row, this.#column] = this.#saved;
    this.#cells = isOn ? this.#blank() : this.#primary;
    this.isAlternate = isOn;
  }

  #lineFeed(): void {
    if (this.#row < this.rows - 1) this.#row += 1;
    else this.#cells = [...this.#cells.slice(1), this.#blank()[0] ?? []];
  }

  #put(character: string): void {
    const width = widthOf(character);
    if (this.#column + width > this.columns) {
      if (!this.wraps)
        throw new Error(`wider than the terminal: ${JSON.stringify(this.lines[this.#row])} and ${JSON.stringify(character)}`);
      this.#column = 0;
      this.#lineFeed();
    }
    const row = this.#cells[this.#row];
    if (row === undefined) throw new Error(`below the terminal: row ${this.#row + 1}`);
    row[this.#column] = character;
    if (width === 2) row[this.#column + 1] = "";
    this.#column += width;
  }

  #blank(): string[][] {
    return Array.from({ length: this.rows }, () => Array.from({ length: this.columns }, () => " "));
  }
}
