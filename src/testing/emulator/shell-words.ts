/** Joins words into one line, which a POSIX shell and `splitWords` read back as the same words. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");
}

/** The words of a line from `joinWords`. */
export function splitWords(line: string): readonly string[] {
  return (line.match(/(?:[^\s'\\]|'[^']*'|\\.)+/g) ?? []).map((word) =>
    word.replace(/'([^']*)'|\\(.)/g, (_all, quoted: string | undefined, char: string | undefined) => quoted ?? char ?? ""),
  );
}
