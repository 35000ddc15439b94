/** A text as one line of a manual page: what man(7) would take for a request or an escape is itself again. */
export function roffText(text: string): string {
  const escaped = ascii(text.replaceAll("\\", "\\e").replace(/\s*\n\s*/g, " "));
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Characters that an old troff does not read, by their numbers. */
function ascii(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (each) => `\\[u${(each.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** Words that are typed as they stand: their hyphens stay hyphens when they are copied, and their quotes are straight. */
export function roffLiteral(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha");
  const straight = ascii(escaped.replaceAll("~", "\\(ti"));
  return straight.startsWith(".") ? `\\&${straight}` : straight;
}

/** A heading of a page. */
export function section(title: string, body: string): string {
  return `.SH ${title.toUpperCase()}\n${body}`;
}

/** A paragraph. */
export function paragraph(text: string): string {
  return `.PP\n${roffText(text)}\n`;
}

/** A term, and below it what it is. `term` is roff already. */
export function item(term: string, about: string): string {
  return `.TP\n${term}\n${about === "" ? "\\&" : roffText(about)}\n`;
}

/** What is typed, in bold. */
export function bold(text: string): string {
  return `\\fB${roffLiteral(text)}\\fR`;
}

/** What stands for something else, in italics. */
export function italic(text: string): string {
  return `\\fI${roffLiteral(text)}\\fR`;
}

/** Lines as they stand, indented. */
export function verbatim(lines: readonly string[]): string {
  return `.PP\n.RS 4\n.nf\n${lines.map((line) => `${roffLiteral(line)}\n`).join("")}.fi\n.RE\n`;
}
