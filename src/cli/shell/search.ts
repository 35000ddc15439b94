/** Looks back through what was typed before for the lines that have something in them, one after the other. */
export class Search {
  #wanted: string | undefined;
  /** How many lines were looked at. */
  #at = 0;

  /** The newest line that has what is `typed` in it, the one before that when asked again; undefined where there is none. `remembered`: newest first. */
  back(typed: string, remembered: readonly string[]): string | undefined {
    this.#wanted ??= typed;
    const wanted = this.#wanted;
    const found = remembered.findIndex((line, index) => index >= this.#at && line.includes(wanted) && line !== typed);
    if (found < 0) return undefined;
    this.#at = found + 1;
    return remembered[found];
  }

  /** Something else was typed: what is searched next is something new. */
  forget(): void {
    this.#wanted = undefined;
    this.#at = 0;
  }
}
