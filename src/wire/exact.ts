import { excerptOf, ProtocolError } from "./errors.ts";

/**
 * The longest number that is read, in characters. QEMU's integers have up to 20 digits. Old versions write real numbers without an
 * exponent: the largest one has 309 digits, a point and 6 more.
 */
export const LONGEST_NUMBER = 320;

/** Where the reader is in the text. */
interface Cursor {
  readonly peer: string;
  readonly text: string;
  at: number;
  /** The first number that is not JSON; reading went on after it. */
  fault: ProtocolError | undefined;
}

/**
 * Reads JSON text with exact integers: as a number where a number holds it, else as a bigint. The caller has limited the nesting. QEMU
 * writes `inf` and `nan` for such C values. They become NaN and are reported as a `fault`; the rest of the message still shows which call
 * it answers.
 *
 * @throws ProtocolError when the text is not JSON in any other way
 */
export function readExact(peer: string, text: string): { readonly value: unknown; readonly fault: ProtocolError | undefined } {
  const cursor: Cursor = { peer, text, at: 0, fault: undefined };
  const value = readValue(cursor);
  skipBlank(cursor);
  if (cursor.at !== text.length) throw broken(cursor, "something after the end of a message");
  return { value, fault: cursor.fault };
}

function readValue(cursor: Cursor): unknown {
  skipBlank(cursor);
  switch (cursor.text[cursor.at]) {
    case "{":
      return readObject(cursor);
    case "[":
      return readArray(cursor);
    case '"':
      return readString(cursor);
    case "t":
      return readWord(cursor, "true", true);
    case "f":
      return readWord(cursor, "false", false);
    case "n":
      return cursor.text[cursor.at + 1] === "u" ? readWord(cursor, "null", null) : readNumber(cursor);
    default:
      return readNumber(cursor);
  }
}

function skipBlank(cursor: Cursor): void {
  for (; ; cursor.at++) {
    const code = cursor.text.charCodeAt(cursor.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
  }
}

/** Steps over a structural character if it comes next. */
function take(cursor: Cursor, character: string): boolean {
  skipBlank(cursor);
  if (cursor.text[cursor.at] !== character) return false;
  cursor.at++;
  return true;
}

function readObject(cursor: Cursor): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  cursor.at++;
  if (take(cursor, "}")) return object;
  do {
    skipBlank(cursor);
    if (cursor.text[cursor.at] !== '"') throw broken(cursor, "a member's name is missing");
    const name = readString(cursor);
    if (!take(cursor, ":")) throw broken(cursor, "a colon is missing");
    const value = readValue(cursor);
    if (name === "__proto__") Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
    else object[name] = value;
  } while (take(cursor, ","));
  if (!take(cursor, "}")) throw broken(cursor, "a comma or a closing brace is missing");
  return object;
}

function readArray(cursor: Cursor): unknown[] {
  const array: unknown[] = [];
  cursor.at++;
  if (take(cursor, "]")) return array;
  do array.push(readValue(cursor));
  while (take(cursor, ","));
  if (!take(cursor, "]")) throw broken(cursor, "a comma or a closing bracket is missing");
  return array;
}

function readString(cursor: Cursor): string {
  let end = cursor.at + 1;
  for (;;) {
    end = cursor.text.indexOf('"', end);
    if (end < 0) throw broken(cursor, "a string without an end");
    let backslashes = 0;
    while (cursor.text[end - 1 - backslashes] === "\\") backslashes++;
    end++;
    if (backslashes % 2 === 0) break;
  }
  try {
    const value = JSON.parse(cursor.text.slice(cursor.at, end)) as string;
    cursor.at = end;
    return value;
  } catch {
    throw broken(cursor, "a broken string");
  }
}

function readWord<T>(cursor: Cursor, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw broken(cursor, "a broken value");
  cursor.at += word.length;
  return value;
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;

function readNumber(cursor: Cursor): number | bigint {
  NUMBER.lastIndex = cursor.at;
  const found = NUMBER.exec(cursor.text);
  if (found === null) return readNoNumber(cursor);
  // The time to read a number grows with the square of its length.
  if (found[0].length > LONGEST_NUMBER) throw broken(cursor, `a number of ${found[0].length} characters, and QEMU's have 20 digits,`);
  cursor.at += found[0].length;
  const value = Number(found[0]);
  if (found[1] !== undefined || found[2] !== undefined || Number.isSafeInteger(value)) return value;
  return BigInt(found[0]);
}

function readNoNumber(cursor: Cursor): number {
  const found = /^-?(?:inf(?:inity)?|nan)/i.exec(cursor.text.slice(cursor.at, cursor.at + 10));
  if (found === null) throw broken(cursor, "a broken value");
  cursor.fault ??= broken(cursor, "a number that is not JSON");
  cursor.at += found[0].length;
  return NaN;
}

function broken(cursor: Cursor, why: string): ProtocolError {
  const from = Math.max(0, cursor.at - 40);
  return new ProtocolError(cursor.peer, `${why} at byte ${cursor.at} of a message`, {
    excerpt: excerptOf(cursor.text.slice(from, cursor.at + 60)),
  });
}
