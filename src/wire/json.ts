import { UsageError } from "../errors.ts";
import { excerptOf } from "./errors.ts";
import { readExact } from "./exact.ts";
import { FAULT, type Message } from "./transport.ts";

/**
 * Parses a message. With `exact`, integers that a number can't hold become bigints. That reader is slower, so it is used only for messages
 * with long runs of digits. If nothing is wrong but a number, the message is returned with its fault.
 *
 * @throws ProtocolError when the text is not JSON; it shows the text around the mistake
 */
export function parseMessage(peer: string, text: string, exact: boolean): Message {
  if (exact) return readMessage(peer, text);
  try {
    return JSON.parse(text) as Message;
  } catch {
    // Our own reader says where the mistake is in words that do not depend on the version of Node.
    return readMessage(peer, text);
  }
}

/**
 * Parses any JSON value, as {@link parseMessage} does a message.
 *
 * @throws ProtocolError when the text is not JSON, or has a number that is not JSON
 */
export function parseJson(what: string, text: string, exact: boolean): unknown {
  if (!exact) {
    try {
      return JSON.parse(text);
    } catch {
      // As in parseMessage.
    }
  }
  const { value, fault } = readExact(what, text);
  if (fault !== undefined) throw fault;
  return value;
}

/** About how many characters of a value are looked at to show it; an excerpt has fewer. */
const SHOWN = 4096;

/**
 * Any JSON value for an error message, shortened. Only the beginning of a long value is looked at, so that the time does not grow with its
 * size.
 */
export function showJson(value: unknown): string {
  const room = { left: SHOWN };
  const text = String(JSON.stringify(clipped(value, room)));
  return excerptOf(room.left > 0 ? text : `${text.slice(0, 100)}…`);
}

function clipped(value: unknown, room: { left: number }): unknown {
  if (typeof value === "bigint") return clipped(String(value), room);
  if (typeof value === "string") {
    room.left -= value.length;
    return value.slice(0, SHOWN);
  }
  room.left--;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (let at = 0; at < value.length && room.left > 0; at++) items.push(clipped(value[at], room));
    return items;
  }
  const members = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(value)) {
    if (room.left <= 0) break;
    room.left -= name.length;
    members[name.slice(0, SHOWN)] = clipped((value as Readonly<Record<string, unknown>>)[name], room);
  }
  return members;
}

function readMessage(peer: string, text: string): Message {
  const { value, fault } = readExact(peer, text);
  return fault === undefined ? (value as Message) : { ...(value as Message), [FAULT]: fault };
}

/** The nesting that QEMU reads. It answers a deeper message with about one error for each level, and none of them has an id. */
const DEEPEST = 1024;
const LARGEST = 64 * 1024 * 1024;

/**
 * Writes a value as the shortest JSON text. Bigints are written as integers, and numbers above 2^53 with their exact digits. Refused are
 * values that QEMU would misread, or would answer with an error that has no id to match.
 *
 * @throws UsageError, with the path, when a number is not finite, an integer does not fit 64 bits, a string has half of a surrogate pair,
 *   or the nesting is deeper than `levels`
 */
export function writeJson(value: unknown, what: string, levels: number = DEEPEST): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    return writeExact(value, what, cause, levels);
  }
  if (text === undefined) throw new UsageError(`${what}: not a JSON value: ${typeof value}`, { value, expected: "a JSON value" });
  // "null" may have been NaN, \ud may be half of a surrogate pair, and long digits are not always the exact ones.
  if (text.length > 2 * DEEPEST || /null|\\ud|\d{16}|\de\+/.test(text)) return writeExact(value, what, undefined, levels);
  return text;
}

/** What stays the same at every level. */
interface Writing {
  readonly what: string;
  readonly levels: number;
  readonly cause: unknown;
}

function writeExact(value: unknown, what: string, cause: unknown, levels: number): string {
  const text = write(value, { what, levels, cause }, []);
  if (text === undefined) throw new UsageError(`${what}: not a JSON value: ${typeof value}`, { value, expected: "a JSON value" });
  if (text.length > LARGEST) {
    throw new UsageError(
      `${what}: ${text.length} bytes are more than QEMU reads`,
      { value: text.length, expected: `at most ${LARGEST} bytes` },
      { cause },
    );
  }
  return text;
}

function write(value: unknown, writing: Writing, path: readonly string[]): string | undefined {
  switch (typeof value) {
    case "bigint":
      return writeInteger(value, writing, path);
    case "number":
      return writeNumber(value, writing, path);
    case "string":
      return writeString(value, writing, path);
    case "object":
      return value === null ? "null" : writeObject(value, writing, path);
    case "boolean":
      return String(value);
    default:
      return undefined;
  }
}

function writeObject(value: object, writing: Writing, path: readonly string[]): string | undefined {
  const { levels } = writing;
  if (path.length >= levels)
    throw refusal(writing, path.slice(0, 8), `deeper than ${levels} levels, or it contains itself`, value, `at most ${levels} levels`);
  if ("toJSON" in value && typeof value.toJSON === "function") return write((value.toJSON as () => unknown)(), writing, path);
  if (Array.isArray(value)) return `[${value.map((item, index) => write(item, writing, [...path, String(index)]) ?? "null").join(",")}]`;
  const members: string[] = [];
  for (const [name, item] of Object.entries(value)) {
    const text = write(item, writing, [...path, name]);
    if (text !== undefined) members.push(`${writeString(name, writing, path)}:${text}`);
  }
  return `{${members.join(",")}}`;
}

function writeInteger(value: bigint, writing: Writing, path: readonly string[]): string {
  if (value >= -(2n ** 63n) && value < 2n ** 64n) return String(value);
  throw refusal(writing, path, `the integer ${value} does not fit 64 bits`, value, "-2^63 to 2^64-1");
}

function writeNumber(value: number, writing: Writing, path: readonly string[]): string {
  if (!Number.isFinite(value)) throw refusal(writing, path, `${value} is not a JSON number`, value, "a finite number");
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return String(value);
  return value >= -(2 ** 63) && value < 2 ** 64 ? writeInteger(BigInt(value), writing, path) : String(value);
}

function writeString(value: string, writing: Writing, path: readonly string[]): string {
  if (!/\p{Surrogate}/u.test(value)) return JSON.stringify(value);
  throw refusal(writing, path, "half of a surrogate pair", value, "well-formed Unicode");
}

function refusal(writing: Writing, path: readonly string[], why: string, value: unknown, expected: string): UsageError {
  const where = path.length === 0 ? "" : ` ${path.join(".")}:`;
  return new UsageError(`${writing.what}:${where} ${why}`, { value, expected }, { cause: writing.cause });
}
