/** Builds one word of a script from plain, quoted and expanded text. The result is its fields: none, one or several. */
export class WordBuilder {
  readonly #isValue: boolean;
  readonly #fields: string[] = [];
  #current: string | undefined;
  isPlain = true;
  /** How many lists were added. */
  lists = 0;

  constructor(isValue: boolean) {
    this.#isValue = isValue;
  }

  get isEmpty(): boolean {
    return this.#current === undefined && this.#fields.length === 0;
  }

  get text(): string {
    return this.#current ?? "";
  }

  addPlain(text: string): void {
    this.#current = this.text + text;
  }

  addQuoted(text: string): void {
    this.isPlain = false;
    this.#current = this.text + text;
  }

  /** Adds expanded text that is not quoted: it is split at blanks. */
  addSplit(text: string): void {
    if (this.#isValue) return this.addQuoted(text);
    this.isPlain = false;
    const [first = "", ...more] = text.split(/[ \t\n]+/);
    if (first !== "") this.#current = this.text + first;
    for (const each of more) {
      this.#close();
      if (each !== "") this.#current = each;
    }
  }

  addList(list: readonly string[], isQuoted: boolean): void {
    this.isPlain = false;
    this.lists++;
    const items = this.#isValue ? [list.join(" ")] : list;
    for (const [position, item] of items.entries()) {
      if (position > 0) this.#close();
      if (isQuoted) this.addQuoted(item);
      else this.addSplit(item);
    }
  }

  end(): readonly string[] {
    this.#close();
    return this.#fields;
  }

  #close(): void {
    if (this.#current !== undefined) this.#fields.push(this.#current);
    this.#current = undefined;
  }
}
