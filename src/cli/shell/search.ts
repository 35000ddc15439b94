/** A search through earlier lines, newest first, with each typed character: ^R as in other shells. */
export class Search {
  readonly #lines: readonly string[];
  /** The text of the search before: a second ^R without text looks for it. */
  readonly #before: string;
  #text: string;
  #at = -1;
  #failed = false;

  constructor(lines: readonly string[], typed: string, before = "") {
    this.#lines = lines;
    this.#before = before;
    this.#text = typed;
    if (typed !== "") this.#look(0);
  }

  /** The text to look for. */
  get text(): string {
    return this.#text;
  }

  /** The last line that was found. `undefined` if there is none yet. */
  get found(): string | undefined {
    return this.#lines[this.#at];
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Adds typed text. */
  add(typed: string): void {
    this.#text += typed;
    this.#look(Math.max(this.#at, 0));
  }

  /** Removes the last character. */
  shorten(): void {
    this.#text = [...this.#text].slice(0, -1).join("");
    this.#at = -1;
    this.#failed = false;
    if (this.#text !== "") this.#look(0);
  }

  /** Goes back to an older, different line. */
  older(): void {
    if (this.#text === "") this.#text = this.#before;
    if (this.#text !== "") this.#look(this.#at + 1);
  }

  #look(from: number): void {
    const shown = from > this.#at ? this.found : undefined;
    const at = this.#lines.findIndex((line, index) => index >= from && line.includes(this.#text) && line !== shown);
    this.#failed = at < 0;
    if (at >= 0) this.#at = at;
  }
}
