/** What a shell does with a character outside of quotes, so that a line with it is no plain list of words. */
const SHELL = /[|&;<>()$`*?[\]{}~!\n]/;

/** The words of a command line, without the comment at its end. Undefined if a shell would do more with it than to part it into words. */
export function plainWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  const piece = /\s*(?:(#.*)|((?:'[^']*'|"(?:[^"\\$`]|\\.)*"|\\.|[^\s'"\\])+))/gy;
  for (let found = piece.exec(line); found !== null; found = piece.exec(line)) {
    const [, comment, word = ""] = found;
    if (comment !== undefined) return words;
    if (SHELL.test(word.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"|\\./g, ""))) return undefined;
    words.push(
      word.replaceAll(
        /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
        (_, one?: string, two?: string, three?: string) => one ?? two?.replaceAll(/\\(.)/g, "$1") ?? three ?? "",
      ),
    );
    if (piece.lastIndex >= line.trimEnd().length) return words;
  }
  return line.trim() === "" ? words : undefined;
}
