/** A search back through what was typed before, newest first, which goes on while its text is typed: what ^R is in other shells. */
export class Search {
  readonly #lines: readonly string[];
  /** What a second ^R with nothing typed looks for: the search before this one. */
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

  /** What is looked for. */
  get text(): string {
    return this.#text;
  }

  /** The line that has it, or had what was typed before of it; undefined where there is none yet. */
  get found(): string | undefined {
    return this.#lines[this.#at];
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** More of the text was typed. */
  add(typed: string): void {
    this.#text += typed;
    this.#look(Math.max(this.#at, 0));
  }

  /** The last character was taken back. */
  shorten(): void {
    this.#text = [...this.#text].slice(0, -1).join("");
    this.#at = -1;
    this.#failed = false;
    if (this.#text !== "") this.#look(0);
  }

  /** Further back, to a line that is another one. */
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
