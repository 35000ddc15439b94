/** A word of a line, with the blanks inside its brackets and quotes. `open`: the bracket or quote that is not closed. */
export interface Piece {
  readonly text: string;
  /** Where it begins in the line. */
  readonly start: number;
  readonly open?: "{" | "[" | "'" | '"';
}

/**
 * Splits a line at blanks, but not inside brackets and quotes. These count only where a value can begin: at the start of a word and after
 * `=`.
 */
export function piecesOf(line: string): readonly Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line[at])) at++;
    if (at >= line.length) return pieces;
    const start = at;
    let open: Piece["open"];
    let valueMayBegin = true;
    while (at < line.length && !isBlank(line[at])) {
      const char = line[at] ?? "";
      const end = !valueMayBegin
        ? undefined
        : char === "{" || char === "["
          ? endOfJson(line, at)
          : char === "'" || char === '"'
            ? endOfQuote(line, at)
            : undefined;
      if (end === -1) open = char as NonNullable<Piece["open"]>;
      // Only the first = separates a key from its value.
      valueMayBegin = char === "=" && !line.slice(start, at).includes("=");
      at = end === undefined ? at + 1 : end === -1 ? line.length : end;
    }
    pieces.push({ text: line.slice(start, at), start, ...(open === undefined ? {} : { open }) });
  }
}

/** Whether a bracket is open, so that the next line continues this one. */
export function isUnfinished(line: string): boolean {
  return piecesOf(line).some(({ open }) => open === "{" || open === "[");
}

function isBlank(char: string | undefined): boolean {
  return char === " " || char === "\t" || char === "\n" || char === "\r";
}

/** The index after the bracket that closes the one at `start`. -1 if none does. */
function endOfJson(line: string, start: number): number {
  let depth = 0;
  for (let at = start; at < line.length; at++) {
    const char = line[at];
    if (char === '"') {
      const end = endOfQuote(line, at);
      if (end === -1) return -1;
      at = end - 1;
    } else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && --depth === 0) return at + 1;
  }
  return -1;
}

function endOfQuote(line: string, start: number): number {
  const quote = line[start];
  for (let at = start + 1; at < line.length; at++) {
    // As in a shell: a backslash means nothing between single quotes.
    if (line[at] === "\\" && quote === '"') at++;
    else if (line[at] === quote) return at + 1;
  }
  return -1;
}
