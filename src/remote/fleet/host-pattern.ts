import { UsageError } from "../../errors.ts";
import { parseHost } from "../host-address.ts";

/** The most hosts that one list may mean. */
export const MOST_HOSTS = 10_000;

/** One item of a host list: a host or a group, perhaps with ranges in its name, to be added or to be left out. */
export interface HostPattern {
  /** As it was written, with the `!` of an exclusion. */
  readonly text: string;
  readonly isGroup: boolean;
  readonly isExcluded: boolean;
  /** Its line in the `hosts` file. */
  readonly line?: number;
  /** Its name in pieces: texts, and ranges that stand for each of their numbers. The `!` and the `@` of a group are in none. */
  readonly pieces: readonly (string | readonly Span[])[];
}

/** The numbers from `first` to `last`, written with at least `width` digits. */
export interface Span {
  readonly first: number;
  readonly last: number;
  readonly width: number;
}

/** How a host list is written. */
export const HOW = "a host list: kvm1,kvm2 or kvm[01-20] or user@kvm[1-3,7]:2222 or a group @edge, without those behind a !: @edge,!kvm03";

/** More digits than a number takes that is exact. */
const DIGITS = 15;

/**
 * Reads a host list. Nothing is looked up, and no range is written out.
 *
 * @throws UsageError when it can't be one, or when an item means more than {@link MOST_HOSTS}
 */
export function parseHostList(text: string): readonly HostPattern[] {
  if (text === "") throw mistake(text, "the hosts are missing");
  const blank = /[\s\p{Cc}]/u.exec(text);
  if (blank !== null) throw mistake(text, `${blank[0] === " " ? "a blank" : JSON.stringify(blank[0])} in a host list`);
  return itemsOf(text).map((item) => patternOf(item, text));
}

/** The texts between the commas that are in no brackets. */
function itemsOf(text: string): readonly string[] {
  const items: string[] = [];
  let [from, isInside] = [0, false];
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === "[" && isInside) throw mistake(text, "a [ within [ ]");
    if (sign === "]" && !isInside) throw mistake(text, "a ] without a [ before it");
    if (sign === "[" || sign === "]") isInside = sign === "[";
    if (sign !== "," || isInside) continue;
    items.push(text.slice(from, at));
    from = at + 1;
  }
  if (isInside) throw mistake(text, "a [ without a ] behind it");
  return [...items, text.slice(from)];
}

function patternOf(item: string, whole: string): HostPattern {
  if (item === "") throw mistake(whole, "an empty item, where a comma is too many or a host is missing");
  const isExcluded = item.startsWith("!");
  const rest = isExcluded ? item.slice(1) : item;
  const isGroup = rest.startsWith("@");
  const name = isGroup ? rest.slice(1) : rest;
  if (name === "") throw mistake(whole, `${JSON.stringify(item)} names ${isGroup ? "no group" : "no host"}`);
  if (name.startsWith("!") || (isGroup && name.startsWith("@"))) throw mistake(item, `one ${name[0] ?? ""} is enough`);
  if (isGroup && /[@:]/.test(name.replace(/\[[^\]]*\]/g, ""))) throw mistake(item, "a group has no user and no port, its hosts have");
  const pattern = { text: item, isGroup, isExcluded, pieces: piecesOf(name, whole) };
  if (sizeOf(pattern) > MOST_HOSTS) throw mistake(item, `${countOf(sizeOf(pattern))}, and ${MOST_HOSTS} are the most`);
  // A range is right where its least and its greatest number are: they may be a port.
  if (!isGroup) for (const end of [Math.min, Math.max]) parseHost(extremeOf(pattern, end), item);
  return pattern;
}

function extremeOf({ pieces }: HostPattern, pick: (...numbers: readonly number[]) => number): string {
  return pieces
    .map((piece) => (typeof piece === "string" ? piece : String(pick(...piece.flatMap(({ first, last }) => [first, last])))))
    .join("");
}

function countOf(size: number): string {
  return Number.isSafeInteger(size) ? `${size} hosts` : "more hosts than can be counted";
}

/** The name in pieces. Brackets with an IPv6 address in them, right behind the user, are text. */
function piecesOf(name: string, whole: string): HostPattern["pieces"] {
  const address = /^([^@[]*@)?\[[^\]]*:[^\]]*:[^\]]*\]/.exec(name)?.[0];
  if (address !== undefined && !/^\d+:\d+:\d+\]$/.test(address.slice(address.indexOf("[") + 1)))
    return [address, ...rangesIn(name.slice(address.length), whole)];
  return rangesIn(name, whole);
}

function rangesIn(name: string, whole: string): HostPattern["pieces"] {
  // Each second one is what stood in brackets.
  return name
    .split(/\[([^\]]*)\]/)
    .map((piece, at) => (at % 2 === 0 ? piece : piece.split(",").map((span) => spanOf(span, piece, whole))))
    .filter((piece) => piece !== "");
}

function spanOf(text: string, inside: string, whole: string): Span {
  const [, low, high = low, step] = /^(\d+)(?:[-:](\d+))?(?::(\d+))?$/.exec(text) ?? [];
  if (low !== undefined && high !== undefined && text.includes(":")) {
    const right = step === undefined ? `[${low}-${high}]` : `[${low}-${high}], and each number by itself where there is a step`;
    throw mistake(whole, `[${text}] is how Ansible writes a range; here it is ${right}`, right);
  }
  if (low === undefined || high === undefined)
    throw mistake(whole, `[${inside}]: ${text === "" ? "an empty item" : text} is no number and no range of numbers, as 7 or 01-20`);
  if (low.length > DIGITS || high.length > DIGITS) throw mistake(whole, `[${text}]: a number of more than ${DIGITS} digits`);
  const span = { first: Number(low), last: Number(high), width: low.length };
  if (span.last < span.first) throw mistake(whole, `[${text}]: it runs backwards; [${high}-${low}] is right`, `[${high}-${low}]`);
  if (high.startsWith("0") && high.length > low.length)
    throw mistake(whole, `[${text}]: with how many digits? [${low.padStart(high.length, "0")}-${high}] has ${high.length} in each`);
  return span;
}

/** How many names a pattern means. */
export function sizeOf({ pieces }: HostPattern): number {
  const sizes = pieces.map((piece) => (typeof piece === "string" ? 1 : piece.reduce((sum, { first, last }) => sum + last - first + 1, 0)));
  return sizes.reduce((product, size) => product * size, 1);
}

/** The names that a pattern means, in order; the last range runs fastest. */
export function namesOf({ pieces }: HostPattern): readonly string[] {
  return pieces.reduce<readonly string[]>(
    (names, piece) => {
      const ends = typeof piece === "string" ? [piece] : piece.flatMap(numbersOf);
      return names.flatMap((name) => ends.map((end) => name + end));
    },
    [""],
  );
}

function numbersOf({ first, last, width }: Span): readonly string[] {
  return Array.from({ length: last - first + 1 }, (_, at) => String(first + at).padStart(width, "0"));
}

function mistake(text: string, why: string, expected = HOW): UsageError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new UsageError(`${/^[!-~]+$/.test(shown) ? shown : JSON.stringify(shown)}: ${why}`, { value: text, expected });
}
