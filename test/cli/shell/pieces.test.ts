import { describe, expect, test } from "vitest";
import { isUnfinished, piecesOf } from "../../../src/cli/shell/pieces.ts";

const texts = (line: string): readonly string[] => piecesOf(line).map(({ text }) => text);

test.each([
  ["", []],
  ["  query-status ", ["query-status"]],
  ["a b=1\tc=2", ["a", "b=1", "c=2"]],
  ['a {"b": [1, 2], "c": "} x"} d', ["a", '{"b": [1, 2], "c": "} x"}', "d"]],
  ['a b={"c": 1} d=[1, "x y"]', ["a", 'b={"c": 1}', 'd=[1, "x y"]']],
  [`a b='x y' c="x \\" y"`, ["a", "b='x y'", 'c="x \\" y"']],
  // Brackets and quotes inside of a word are letters.
  ["a path=/machine/unattached/device[0] b=it's", ["a", "path=/machine/unattached/device[0]", "b=it's"]],
  ["a b=c=[1 2]", ["a", "b=c=[1", "2]"]],
])("%j is split at blanks outside of values", (line, expected) => expect(texts(line)).toEqual(expected));

test("each piece knows where it begins", () => expect(piecesOf(" a  bc").map(({ start }) => start)).toEqual([1, 4]));

describe("a line goes on", () => {
  test.each(['{"execute":', "a {", "a b=[1,", 'a {"b": "}"', "a {\n{}"])("while a bracket is open: %j", (line) =>
    expect(isUnfinished(line)).toBe(true),
  );
  test.each(["a", "a {}", 'a {"b": "{"}', "a b='", "a b=x{", "a }"])("not after %j", (line) => expect(isUnfinished(line)).toBe(false));
});
