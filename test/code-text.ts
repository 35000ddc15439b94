/** TypeScript as text: enough for a test that looks for a form of writing. */

/** The text with strings, templates, regular expressions and comments blanked out, each character in its place. */
export function codeOf(text: string): string {
  let code = "";
  for (let at = 0; at < text.length;) {
    const end = Math.max(at + 1, literalEnd(text, at, code));
    const piece = text.slice(at, end);
    const isComment = piece.startsWith("//") || piece.startsWith("/*");
    // A literal stays as one, so that an expression that ends with it does not seem to end before.
    code += piece.length === 1 ? piece : isComment ? blank(piece) : `"${blank(piece.slice(1, -1))}"`;
    at = end;
  }
  return code;
}

function blank(piece: string): string {
  return piece.replace(/[^\n]/g, " ");
}

/** Where the literal or the comment ends that begins here; the same place where none does. */
function literalEnd(text: string, at: number, before: string): number {
  const first = text[at];
  if (first === "/" && text[at + 1] === "/") return ends(text, at, /\n|$/g);
  if (first === "/" && text[at + 1] === "*") return text.indexOf("*/", at) + 2;
  if (first === '"' || first === "'") return past(text, at, first);
  if (first === "`") return templateEnd(text, at);
  if (first === "/" && /(^|[(,=:[!&|?{};+>]|\breturn|=>)\s*$/.test(before.slice(-40))) return regexEnd(text, at);
  return at;
}

function ends(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.index ?? text.length;
}

function past(text: string, from: number, quote: string): number {
  let at = from + 1;
  while (at < text.length && text[at] !== quote) at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function templateEnd(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== "`") {
    if (text[at] === "\\") at += 2;
    else if (text.startsWith("${", at)) at = placeholderEnd(text, at + 2);
    else at++;
  }
  return at + 1;
}

function placeholderEnd(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length;) {
    const end = literalEnd(text, at, text.slice(Math.max(0, at - 40), at));
    if (end === at && text[at] === "{") depth++;
    if (end === at && text[at] === "}" && --depth === 0) return at + 1;
    at = Math.max(end, at + 1);
  }
  return text.length;
}

function regexEnd(text: string, from: number): number {
  let inClass = false;
  for (let at = from + 1; at < text.length && text[at] !== "\n"; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === "[") inClass = true;
    else if (text[at] === "]") inClass = false;
    else if (text[at] === "/" && !inClass) return at + 1;
  }
  return from;
}

/** The place of the bracket that the one at this place closes. */
export function opening(code: string, close: number): number {
  let depth = 0;
  for (let at = close; at >= 0; at--) {
    if (/[)\]}]/.test(code[at] ?? "")) depth++;
    else if (/[([{]/.test(code[at] ?? "") && --depth === 0) return at;
  }
  return -1;
}

/** The place of the bracket that closes the one at this place. */
export function closing(code: string, open: number): number {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (/[([{]/.test(code[at] ?? "")) depth++;
    else if (/[)\]}]/.test(code[at] ?? "") && --depth === 0) return at;
  }
  return code.length;
}
