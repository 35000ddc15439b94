import type { Edit } from "./edit.ts";

/** The edits that put words at the end of a config's `args`, which a config may not have yet. */
export function appended(words: readonly string[], args: readonly string[]): readonly Edit[] {
  if (args.length === 0) return [{ path: ["args"], value: words }];
  return words.map((value, offset) => ({ path: ["args", String(args.length + offset)], value }));
}
