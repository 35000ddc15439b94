/** Random JSON values without keys that stand twice, and random ways to write them. */

const KEYS = ["a", "memory", "max", "current", "pin", "0", "1", "10", "__proto__", "ü", 'q"uote', "back\\slash", "a: b"];
const SCALARS: readonly unknown[] = [0, -1, 1.5e300, true, false, null, "", "1GiB", "ünï", 'q"', "\\", "\u0001", "😀"];

/** A value that is at most `depth` deep. */
export function randomValue(random: () => number, depth: number): unknown {
  const kind = depth === 0 ? 0 : Math.floor(random() * 3);
  if (kind === 0) return pick(random, SCALARS);
  const length = Math.floor(random() * 4);
  if (kind === 1) return Array.from({ length }, () => randomValue(random, depth - 1));
  return randomObject(random, depth);
}

/** An object whose values are at most `depth - 1` deep. */
export function randomObject(random: () => number, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let left = Math.floor(random() * 4); left > 0; left--) {
    Object.defineProperty(object, pick(random, KEYS), {
      value: randomValue(random, depth - 1),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return object;
}

/** The value as text, with blanks wherever JSON lets them be. */
export function randomText(random: () => number, value: unknown): string {
  const blank = (): string => pick(random, ["", "", " ", "\n  ", "\t", "\r\n"]);
  const write = (each: unknown): string => {
    if (Array.isArray(each)) return `[${blank()}${each.map((item) => write(item)).join(`${blank()},${blank()}`)}${blank()}]`;
    if (typeof each !== "object" || each === null) return JSON.stringify(each);
    const members = Object.entries(each).map(([key, item]) => `${JSON.stringify(key)}${blank()}:${blank()}${write(item)}`);
    return `{${blank()}${members.join(`${blank()},${blank()}`)}${blank()}}`;
  };
  return `${blank()}${write(value)}${blank()}`;
}

/** One of a list. */
export function pick<Item>(random: () => number, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}
