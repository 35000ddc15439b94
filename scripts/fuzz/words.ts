import type { Random } from "../lab/random.ts";

const TEXTS: readonly string[] = ["", "x", "\u0000", '\t\n"\\/', "\u00e9\u20ac\u{1f5a5}", "{}[]:,", "\u2028", "\u007f", "id", "return"];
const NUMBERS: readonly (number | bigint)[] = [0, -1, 1.5, 1e21, 2 ** 53, 2n ** 63n - 1n, 2n ** 64n - 1n, -(2n ** 63n), 1e-7];

/** Any JSON value. Integers that are too large for a number are bigints. */
export function anything(random: Random, depth = 0): unknown {
  switch (random.below(depth > 3 ? 5 : 8)) {
    case 0:
      return random.pick([null, true, false]);
    case 1:
      return random.pick(NUMBERS);
    case 2:
      return random.below(2 ** 31) - 2 ** 30;
    case 3:
      return random.pick(TEXTS).repeat(1 + random.below(3));
    case 4:
      return "x".repeat(random.below(400));
    case 5:
      return Array.from({ length: random.below(5) }, () => anything(random, depth + 1));
    default:
      return anyObject(random, depth);
  }
}

/** Any object. */
export function anyObject(random: Random, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Array.from({ length: random.below(5) }, (_, index) => [`${random.pick(TEXTS)}${index}`, anything(random, depth + 1)]),
  );
}

/** A value as JSON text, in any valid notation. Bigints become integers. */
export function written(value: unknown, random: Random): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string")
    return random.below(2) === 0
      ? JSON.stringify(value)
      : JSON.stringify(value).replace(/[\u0080-\uffff]/g, (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const blank = (): string => random.pick(["", "", "", " ", "\r\n    ", "\t"]);
  if (Array.isArray(value)) return `[${blank()}${value.map((item) => written(item, random)).join(`${blank()},${blank()}`)}${blank()}]`;
  const members = Object.entries(value).map(([key, item]) => `${written(key, random)}${blank()}:${blank()}${written(item, random)}`);
  return `{${blank()}${members.join(`${blank()},${blank()}`)}${blank()}}`;
}

/** Bytes in pieces, cut anywhere. */
export function cut(bytes: Uint8Array, random: Random): readonly Uint8Array[] {
  const most = random.pick([1, 3, 40, 1000]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random.below(most));
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}

/** Bytes with some of them changed, lost, doubled or cut off. */
export function spoilt(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = random.below(copy.length + 1);
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, at);
    case 1:
      return Uint8Array.from([...copy.subarray(0, at), ...copy.subarray(at + 1 + random.below(4))]);
    case 2:
      return Uint8Array.from([
        ...copy.subarray(0, at),
        ...Array.from({ length: 1 + random.below(6) }, () => random.below(256)),
        ...copy.subarray(at),
      ]);
    default:
      for (let times = 1 + random.below(3); times > 0 && copy.length > 0; times -= 1) copy[random.below(copy.length)] = random.below(256);
      return copy;
  }
}
