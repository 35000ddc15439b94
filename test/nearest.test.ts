import { describe, expect, test } from "vitest";
import { distance, nearest } from "../src/nearest.ts";

test.each([
  ["", "", 0],
  ["abc", "abc", 0],
  ["abc", "ab", 1],
  ["abc", "acb", 1],
  ["kitten", "sitting", 3],
  ["ca", "abc", 3],
])("from %j to %j it takes %i slips", (a, b, slips) => {
  expect(distance(a, b)).toBe(slips);
  expect(distance(b, a)).toBe(slips);
});

describe("nearest", () => {
  const verbs = ["setmem", "setmaxmem", "setvcpus", "start", "shutdown", "suspend", "qmp", "list"];

  test.each([
    ["setmen", "setmem"],
    ["sart", "start"],
    ["SHUTDOWN", "shutdown"],
    ["susp", "suspend"],
    ["setvcpu", "setvcpus"],
    ["qpm", "qmp"],
    ["lsit", "list"],
  ])("%s means %s", (typed, meant) => expect(nearest(typed, verbs)).toBe(meant));

  test.each(["migrate", "", "x", "s"])("%j means nothing we know", (typed) => expect(nearest(typed, verbs)).toBeUndefined());
});
