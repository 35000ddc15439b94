import type { Edit } from "../../config/edit.ts";
import { type Resizing, withWords } from "../../config/fixed-sizes.ts";
import { type Reason, when } from "./resource.ts";

/** The edits of a config's `args` that go with a change of a size which they fix too. */
export function wordEdits(resizing: Resizing): readonly Edit[] {
  return "edits" in resizing ? resizing.edits.map(({ word, text }) => ({ path: ["args", String(word)], value: text })) : [];
}

/** Those `args` after it. */
export function resizedArgs(args: readonly string[], resizing: Resizing): readonly string[] {
  return "edits" in resizing ? withWords(args, resizing.edits) : args;
}

/** Why it can't be done: args fix the size too, and only a person knows which of their words is to change. */
export function unclear(what: string, resizing: Resizing, key: string): readonly Reason[] {
  return when("obstacle" in resizing, () => ({
    reason: `${what}: ${"obstacle" in resizing ? resizing.obstacle : ""}`,
    instead: `change ${key} and those words together in the config`,
  }));
}
