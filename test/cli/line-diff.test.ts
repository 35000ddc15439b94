import { expect, test } from "vitest";
import { lineDiff } from "../../src/cli/line-diff.ts";

test.each([
  ["a\nb\nc", "a\nB\nc", ["- b", "+ B"]],
  ["a\nb", "a\nb", []],
  ["a\nb\nc\nd\ne", "A\nb\nc\nd\nE", ["- a", "+ A", "- e", "+ E"]],
  ["a\nc", "a\nb\nc", ["+ b"]],
  ["a\nb\nc", "a\nc", ["- b"]],
  ["a", "a\n", ["+ "]],
])("from %j to %j", (before, after, lines) => expect(lineDiff(before, after)).toEqual(lines));
