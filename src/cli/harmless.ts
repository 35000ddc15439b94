/**
 * Makes text safe for a terminal. Texts come from QEMU, guests, files and command lines. Some characters would move the cursor, change the
 * title, or make a line read backwards. The sinks of the program let none of them through. They know our own colours and moves by a key
 * that only this process has.
 */

const KEY: string = `\u0000${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}`;

/** What a terminal takes for a command, and what is invisible or changes the order of the text. Line feed, tab and CR LF do no harm. */
const HARM = "\\r(?!\\n)|[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}]";
/** Made when the first unusual text comes: classes of Unicode take half a millisecond to make. */
let harmOrOurs: RegExp | undefined;
/** Nearly all text is plain, and this test for it is fast. */
const UNUSUAL = /[^\n\t\u0020-\u007e]/;

/** Marks a terminal command as ours, so that the sinks pass it on. */
export function control(sequence: string): string {
  return `${KEY}${sequence}\u0000`;
}

/**
 * Makes a text safe to write to a terminal: each character that does more than print becomes `\u` and its number.
 * In JSON, and in most languages, that is the same string.
 */
export function harmless(text: string): string {
  if (!UNUSUAL.test(text)) return text;
  harmOrOurs ??= new RegExp(`${KEY}([^\\u0000]*)\\u0000|${HARM}`, "gu");
  return text.replace(harmOrOurs, (found: string, ours: string | undefined) => ours ?? escaped(found));
}

/** Makes an outside text part of one line. With a line feed, it could pass for a line of ours. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, escaped);
}

/** Whether `oneLine` would leave a text as it is. */
export function isOneLine(text: string): boolean {
  return text.search(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u) < 0;
}

function escaped(found: string): string {
  return found
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
