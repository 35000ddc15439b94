/**
 * What leaves for a terminal. Texts come from QEMU, guests, files and command lines, and some of their characters would move the cursor,
 * change the title, or have a line read backwards. The sinks of the program let none of them through, and our own colours and moves
 * are known by a key that nobody outside of this process has.
 */

const KEY: string = `\u0000${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;

/**
 * What a terminal takes for a command, and what does not show or turns the order of what does; a line feed, a tab and CR LF are no harm.
 */
const HARM = "\\r(?!\\n)|[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]";
const HARM_OR_OURS: RegExp = new RegExp(`${KEY}([^\\u0000]*)\\u0000|${HARM}`, "gu");
/** Nearly all that is written is plain, and to see that takes no time. */
const UNUSUAL = /[^\n\t\u0020-\u007e]/;
const OFF_THE_LINE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A command to the terminal that is ours: the sinks pass it on. */
export function control(sequence: string): string {
  return `${KEY}${sequence}\u0000`;
}

/**
 * A text as it may be written to a terminal: every character that would do more than stand there becomes `\u` and its number.
 * In JSON, and in most languages, that is the same string.
 */
export function harmless(text: string): string {
  return UNUSUAL.test(text) ? text.replace(HARM_OR_OURS, (found: string, ours: string | undefined) => ours ?? escaped(found)) : text;
}

/** A text from outside as part of one line: a line feed in it would pass for a line of ours. */
export function oneLine(text: string): string {
  return text.replace(OFF_THE_LINE, escaped);
}

/** Whether nothing in a text would be changed by `oneLine`. */
export function isOneLine(text: string): boolean {
  return text.search(OFF_THE_LINE) < 0;
}

function escaped(found: string): string {
  return found
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
