import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { readShellWords } from "../../src/config/shell-words.ts";
import { UsageError } from "../../src/errors.ts";
import { randomFrom } from "./random.ts";
import { pick } from "./random-json.ts";

describe("readShellWords", () => {
  test.each([
    ["a b", ["a", "b"]],
    ["  a\tb  ", ["a", "b"]],
    ["a 'b c' \"d e\"", ["a", "b c", "d e"]],
    ["a'b'\"c\"d", ["abcd"]],
    ["a '' \"\"", ["a", "", ""]],
    ["a \\\n  b", ["a", "b"]],
    ["a\\\nb", ["ab"]],
    ["a \\\r\n b\r\n", ["a", "b"]],
    ['a "b\\\nc" "\\$\\"\\\\\\x"', ["a", "bc", '$"\\\\x']],
    ["#!/bin/sh\n# why\na b # c\n\n# d", ["a", "b"]],
    ["a b#c", ["a", "b#c"]],
    ["set -euo pipefail\nexec a b", ["a", "b"]],
    ["a &", ["a"]],
    ["a;", ["a"]],
    ["a '$x `y` * ~ | {b,c}'", ["a", "$x `y` * ~ | {b,c}"]],
    ["a b~c {} {x}", ["a", "b~c", "{}", "{x}"]],
  ])("reads %j", (text, words) => {
    expect(readShellWords(text)).toEqual(words);
  });

  test.each([
    ["", "no command is in it"],
    ["# only this", "no command is in it"],
    ["a\n\nb c", 'a second command, "b c", is in it'],
    ["a; b", 'a second command, "b", is in it'],
    ["a \\\n $(touch /tmp/x)", "line 2: $ needs a shell"],
    ['a "`id`"', "line 1: ` needs a shell"],
    ["a $HOME", "$ needs a shell"],
    ["a | b", "| needs a shell"],
    ["a && b", "& needs a shell"],
    ["a > log", "> needs a shell"],
    ["(a)", "( needs a shell"],
    ["a *.img", "* stands for file names in a shell"],
    ["a ~/x", "~ needs a shell"],
    ["a {b,c}", "{…} needs a shell"],
    ["\n\na 'b", "line 3: a single quote is never closed"],
    ['a "b\n\n', "line 1: a double quote is never closed"],
    ["a \\", "the text ends in a backslash"],
  ])("refuses %j", (text, message) => {
    expect(() => readShellWords(text)).toThrow(UsageError);
    expect(() => readShellWords(text)).toThrow(message);
  });

  test("reads as the shell itself does, whatever it does not refuse", () => {
    let read = 0;
    for (let seed = 0; seed < 400; seed++) {
      const random = randomFrom(seed);
      const line = `x${Array.from({ length: 12 }, () => pick(random, [" ", "a", "'", '"', "\\", "\\\n", "\t", "#", "é", "{", "}", "=", "~", "''"])).join("")}`;
      let words: readonly string[];
      try {
        words = readShellWords(line);
      } catch {
        continue;
      }
      const program = "for word; do printf '%s\\0' \"$word\"; done";
      const shells = execFileSync("sh", ["-c", `set -- ${line}\n${program}`]).toString().split("\0").slice(0, -1);
      expect(words, `seed ${seed}: ${JSON.stringify(line)}`).toEqual(shells);
      read++;
    }
    expect(read).toBeGreaterThan(50);
  });
});
