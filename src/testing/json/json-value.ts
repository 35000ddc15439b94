/**
 * JSON values without loss: numbers keep their digits, because 64-bit ids must be echoed exactly, and objects keep the order of their
 * members. `JSON.parse` does neither.
 */
export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject;

/** An object with its members in order. */
export type JsonObject = ReadonlyMap<string, Json>;

/** A number as it is written: an integer of any size, a decimal, or QEMU's `inf` for 1e400. */
export interface JsonNumber {
  readonly digits: string;
  /** QEMU keeps it as a double, whatever its digits: 1.0 is not an integer. */
  readonly real?: true;
}

/** Whether a value is an object, and not a list, a number or null. */
export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

/**
 * The order in which QEMU keeps and prints an object's members: by a hash of the name into 512 buckets, the newest first in each. So
 * `return` comes before `id`, `id` before `error`, and an id that is an object comes back in another order than it was sent. `names` are in
 * order of arrival.
 */
export function qemuOrder(names: readonly string[]): readonly string[] {
  const placed = names.map((name, index) => ({ name, index, bucket: bucketOf(name) }));
  return placed.sort((a, b) => a.bucket - b.bucket || b.index - a.index).map(({ name }) => name);
}

/** A value as QEMU keeps it after reading: with its members in QEMU's order. */
export function asKept(value: Json): Json {
  if (Array.isArray(value)) return value.map(asKept);
  if (!isObject(value)) return value;
  return new Map(qemuOrder([...value.keys()]).map((name) => [name, asKept(value.get(name) ?? null)]));
}

/** The hash of qobject/qdict.c, which comes from Samba's TDB: 32 bits, unsigned. */
function bucketOf(name: string): number {
  const bytes = new TextEncoder().encode(name);
  let hash = Math.imul(0x238f13af, bytes.length);
  for (const [index, byte] of bytes.entries()) hash = (hash + (byte << ((index * 5) % 24))) | 0;
  return (Math.imul(1103515243, hash) + 12345) & 511;
}

/** Whether a value is a number. */
export function isNumber(value: Json | undefined): value is JsonNumber {
  return typeof value === "object" && value !== null && "digits" in value;
}

/**
 * A number as QEMU keeps and prints it: int64, else uint64, else a double with 17 digits; 1.0 becomes `1` and 1e400 `inf`. Before 6.0
 * doubles had six decimals, and no exponent. Source: the `number` rule of docs/interop/qmp-spec.rst, and what QEMU 7.2 echoes as an id.
 */
export function qemuNumber(text: string, major = 10): JsonNumber {
  if (!/[.eE]/.test(text)) {
    const exact = BigInt(text);
    if (exact >= -(1n << 63n) && exact < 1n << 64n) return { digits: exact.toString() };
  }
  return { digits: major < 6 ? sixDecimals(Number(text)) : seventeenDigits(Number(text)), real: true };
}

/** C's `%f`, without the zeros at its end. */
function sixDecimals(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Math.abs(value) >= 1e20) return BigInt(value).toString();
  const digits = trimZeros(value.toFixed(6));
  return Object.is(value, -0) ? "-0" : digits;
}

/** C's `%.17g`. */
function seventeenDigits(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  if (value === 0) return "0";
  const [mantissa = "", power = "0"] = value.toExponential(16).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 17) {
    return `${trimZeros(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  return trimZeros(exponent < 0 ? value.toFixed(16 - exponent) : value.toPrecision(17));
}

function trimZeros(digits: string): string {
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
}

/** The same value as `JSON.parse` returns it, for tests and handlers. Numbers beyond 2^53 lose digits. */
export function toPlain(value: Json): unknown {
  if (isObject(value)) return Object.fromEntries([...value].map(([key, member]) => [key, toPlain(member)]));
  if (Array.isArray(value)) return value.map(toPlain);
  return isNumber(value) ? Number(value.digits) : value;
}

/**
 * A plain value, as handlers return it, as one of ours. `inf` and `nan` are kept, because QEMU prints them; undefined members are left out;
 * bigints are exact.
 *
 * @throws TypeError when a value has no JSON form
 */
export function fromPlain(value: unknown): Json {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "bigint") return { digits: value.toString() };
  if (typeof value === "number" && !Number.isFinite(value))
    return { digits: String(value).replace("Infinity", "inf").toLowerCase(), real: true };
  if (typeof value === "number")
    return Number.isInteger(value) && Math.abs(value) < 2 ** 53 ? { digits: String(value) } : qemuNumber(String(value));
  if (Array.isArray(value)) return value.map(fromPlain);
  if (typeof value !== "object") throw new TypeError(`has no JSON form: ${String(value)}`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return new Map(members.map(([key, member]) => [key, fromPlain(member)]));
}

/** A text that is equal for two values exactly if they mean the same: members are sorted, and numbers compared by value. */
export function canonical(value: Json): string {
  if (isObject(value)) {
    const keys = [...value.keys()].sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value.get(key) ?? null)}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return isNumber(value) ? value.digits : JSON.stringify(value);
}

/**
 * Writes a value as QEMU prints it: ASCII with upper-case `\u` escapes (DEL too), and a blank after `:` and `,`. With `pretty`, each member
 * has a line, with four blanks for each level. Source: measured on 7.2.
 */
export function formatJson(value: Json, pretty = false): string {
  return pretty ? spread(format(value)) : format(value);
}

/** Turns QEMU's one-line text into what `pretty=on` prints: over many lines, with empty objects and lists over two. */
export function spread(line: string): string {
  let depth = 0;
  const start = (): string => `\n${"    ".repeat(depth)}`;
  const spaced = line.replace(/"(?:[^"\\]|\\.)*"|[{}[\]]|, /g, (it) => {
    if (it === "{" || it === "[") {
      depth += 1;
      return `${it}${start()}`;
    }
    if (it === ", ") return `,${start()}`;
    if (it !== "}" && it !== "]") return it;
    depth -= 1;
    return `${start()}${it}`;
  });
  return spaced.replace(/([{[])\n *(?=\n *[}\]])/g, "$1");
}

function format(value: Json): string {
  if (typeof value === "string") return quoteAscii(value);
  if (isNumber(value)) return value.digits;
  if (value === null || typeof value === "boolean") return String(value);
  if (isObject(value)) return `{${[...value].map(([key, member]) => `${quoteAscii(key)}: ${format(member)}`).join(", ")}}`;
  return `[${(value as readonly Json[]).map(format).join(", ")}]`;
}

function quoteAscii(text: string): string {
  return JSON.stringify(text).replace(/\\(?:u[0-9a-f]{4}|.)|[\u007f-\uffff]/g, (it) => {
    if (it.length === 1) return `\\u${it.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    return it.length === 2 ? it : `\\u${it.slice(2).toUpperCase()}`;
  });
}
