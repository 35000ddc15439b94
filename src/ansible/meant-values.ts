import { fileKeys } from "../domain/resources/allocation.ts";
import { UsageError } from "../errors.ts";
import { isDict, shown } from "./options.ts";

/**
 * The least number that is taken for bytes. A smaller one is what virsh calls KiB, or QEMU MiB, or a slip: machines of less than 64 MiB are
 * rare, and can be written with a unit.
 */
const LEAST_BYTES = 64 * 1024 ** 2;

/** Puts one value into the form that an allocation file has. @throws UsageError where it may mean several things */
type Reader = (value: unknown, place: string) => unknown;

const size: Reader = (value, place) => {
  const number = numberIn(value);
  if (number === undefined) return value;
  if (number === 0) return "0";
  if (number >= LEAST_BYTES) return `${number}B`;
  throw new UsageError(
    `allocation: ${place} is ${shown(value)}: a bare number is bytes here, and so few are rarely meant; write it with its unit, as "${number}M" or "${number}K"`,
    { value, expected: "a text with a unit, or bytes" },
  );
};
const count: Reader = (value) => numberIn(value) ?? value;
const cpus: Reader = (value) => {
  const each = Array.isArray(value) ? value : [value];
  const fits = each.length > 0 && each.every((one) => numberIn(one) !== undefined || (Array.isArray(value) && typeof one === "string"));
  return fits ? each.join(",") : value;
};
const yes: Reader = (value) => (typeof value === "string" && /^(true|yes)$/i.test(value) ? true : value);
const asItIs: Reader = (value) => value;

/** The words of the shapes of an allocation file, and how a value is read that stands there: it may come from YAML, or from a template. */
const READERS: Readonly<Record<string, Reader>> = {
  SIZE: size,
  N: count,
  COUNT: count,
  SECONDS: count,
  CPULIST: cpus,
  VCPULIST: cpus,
  true: yes,
  POLICY: asItIs,
  FILE: asItIs,
  '"PERCENT%"': asItIs,
  "[WORD, …]": asItIs,
};

/** The words of shapes that this page knows; a test asks for those of every resource. */
export const SHAPE_WORDS: readonly string[] = Object.keys(READERS);

/**
 * An allocation as an allocation file would have it. YAML and templates make other types of the same words: a count is a text, a list of
 * CPUs is a number, a size is bytes. What is meant is read; what may mean several things is refused. All else is left to the reader of
 * allocations.
 *
 * @throws UsageError for a bare number that may be bytes, KiB or MiB
 */
export function meantAllocation(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const shapes = new Map(fileKeys().map(({ place, shape }) => [place, shape]));
  return mapped(given, (group, values) =>
    isDict(values)
      ? mapped(values, (key, value) => {
          const shape = shapes.get(`${group}.${key}`);
          return shape === undefined ? value : readAs(shape, value, `${group}.${key}`);
        })
      : values,
  );
}

/** Reads a value by a shape: a word, or an object of values of one shape, or of some with names. */
function readAs(shape: string, value: unknown, place: string): unknown {
  const reader = Object.hasOwn(READERS, shape) ? READERS[shape] : undefined;
  if (reader !== undefined) return reader(value, place);
  if (!isDict(value)) return value;
  return mapped(value, (key, each) => readAs(shapeOfMember(shape, key), each, `${place}.${key}`));
}

/** The shape of what an object of that shape has under a key. `{"ID": X}` is for any key; of those with names, the nearest counts. */
export function shapeOfMember(shape: string, key: string): string {
  const members = membersOf(shape);
  const [first] = members;
  if (members.length === 1 && first !== undefined) return first.shape;
  // A rate is a number of bytes in a second, and no machine's memory: no number is too small for it.
  const near = members.find(({ name }) => key === name || key.startsWith(`${name}-`) || key.startsWith(`${name}_`));
  return near === undefined ? "FILE" : near.shape === "SIZE" ? "COUNT" : near.shape;
}

/** The members of an object's shape, each with its own. */
export function membersOf(shape: string): readonly { readonly name: string; readonly shape: string }[] {
  const inner = /^\{(.*)\}$/s.exec(shape)?.[1] ?? "";
  const members: { name: string; shape: string }[] = [];
  for (let rest = inner; rest !== "";) {
    const [all, name] = /^(?:, )?"([^"]+)": /.exec(rest) ?? [];
    if (all === undefined || name === undefined) break;
    const end = endOfShape(rest, all.length);
    members.push({ name, shape: rest.slice(all.length, end) });
    rest = rest.slice(end);
  }
  return members;
}

/** Where a shape ends that begins at a place: at the comma after it, or at the end. */
function endOfShape(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const char = text[at] ?? "";
    if ("{[".includes(char)) depth++;
    if ("}]".includes(char)) depth--;
    if (char === "," && depth === 0) return at;
  }
  return text.length;
}

/** A whole number, or a text of digits only. */
function numberIn(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,15}$/.test(value.trim()) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}

function mapped(
  values: Readonly<Record<string, unknown>>,
  make: (key: string, value: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, make(key, value)]));
}
