import { oneLine } from "../harmless.ts";

/** What takes no room of its own in a terminal: it joins the character before it. */
const JOINS = /^[\p{Mn}\p{Me}\u200b-\u200d\ufe00-\ufe0f]$/u;
/** What takes the room of two: East Asian wide characters, and what is drawn as a picture. Source: Unicode's EastAsianWidth.txt. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18cff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const PLAIN = /^[\u0020-\u007e]*$/;

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += widthOfOne(character);
  return width;
}

function widthOfOne(character: string): number {
  return PLAIN.test(character) ? 1 : JOINS.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** A text from anywhere as a part of one line, cut to `width` columns. What is missing is marked by `more`, which takes one. */
export function cut(text: string, width: number, more: string): string {
  const safe = oneLine(text);
  if (widthOf(safe) <= width) return safe;
  let [kept, used] = ["", 0];
  for (const character of safe) {
    const next = widthOfOne(character);
    if (used + next > width - 1) break;
    kept += character;
    used += next;
  }
  return width < 1 ? "" : kept + more;
}

/** A text with blanks to `width` columns, in front of it with `right`. */
export function pad(text: string, width: number, right = false): string {
  const blanks = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? blanks + text : text + blanks;
}

const UNITS = ["", "K", "M", "G", "T", "P"];

/** Bytes in at most five characters: `512M`, `1.5G`. Each unit is 1024 of the one before. */
export function shortSize(bytes: number | null): string {
  if (bytes === null) return "-";
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  const digits = unit === 0 || Number.isInteger(value) || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)}${UNITS[unit] ?? ""}`;
}

/** Percent in at most five characters. */
export function shortPercent(value: number | null): string {
  return value === null ? "-" : value.toFixed(value >= 999.95 ? 0 : 1);
}
