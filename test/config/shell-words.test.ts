import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { fractionsFrom } from "../../scripts/lab/fractions.ts";
import { readScript } from "../../src/config/shell-words.ts";
import { UsageError } from "../../src/errors.ts";
import { pick } from "./random-json.ts";

/** The words of the one command in a text. */
function wordsOf(text: string): readonly string[] {
  return readScript(text, "/").words;
}

describe("the words of a script", () => {
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
    expect(wordsOf(text)).toEqual(words);
  });

  test.each([
    ["", "it has no command"],
    ["# only this", "it has no command"],
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
    expect(() => wordsOf(text)).toThrow(UsageError);
    expect(() => wordsOf(text)).toThrow(message);
  });

  test("reads as the shell itself does, whatever it does not refuse", () => {
    expect(
      compared(
        "sh",
        (random) =>
          `show x${Array.from({ length: 12 }, () => pick(random, [" ", "a", "'", '"', "\\", "\\\n", "\t", "#", "é", "{", "}", "=", "~", "''"])).join("")}`,
      ),
    ).toBeGreaterThan(50);
  });

  test("reads what a script sets itself as bash does", () => {
    const pieces = [
      "$A",
      '"$A"',
      "${A}x",
      '"${A} y"',
      '"${L[@]}"',
      "${L[@]}",
      'p"${L[@]}"q',
      '"${L[*]}"',
      "${L[*]}",
      'p"${L[*]}"q',
      '"$*"',
      "$L",
      "'$A'",
      "w",
      "\\\n ",
      "$B$A",
      '"$@"',
      "\\$A",
      'a"$B"',
    ];
    const lines = [
      "A=1",
      "A='a b'",
      "A=' c '",
      'A="$A d"',
      "A=",
      "A+=z",
      "B=$A",
      'B="${L[*]}"',
      "B=${L[@]}",
      "L=(x 'y z' \"$A\")",
      "L+=($A # why\n 'last')",
      "L=()",
      "set -e",
      "# nothing",
      "true && A=t",
      "export A",
    ];
    const script = (random: () => number): string =>
      [
        "A=0 B=b L=(l)",
        ...Array.from({ length: 4 }, () => pick(random, lines)),
        `show ${Array.from({ length: 5 }, () => pick(random, pieces)).join(" ")}`,
      ].join("\n");
    expect(compared("bash", script)).toBeGreaterThan(300);
  });
});

/** Reads random texts and lets a shell run them: both have to come to the same words. Gives how many were not refused. */
function compared(shell: string, write: (random: () => number) => string): number {
  let read = 0;
  for (let seed = 0; seed < 400; seed++) {
    const text = write(fractionsFrom(seed));
    let words: readonly string[];
    try {
      words = wordsOf(text);
    } catch (error) {
      expect(error).toBeInstanceOf(UsageError);
      continue;
    }
    // With a socket as its standard input, as Node gives it, bash takes itself for a remote login and runs its user's .bashrc first.
    const shells = execFileSync(shell, ["-c", `show() { printf '%s\\0' show "$@"; }\n${text}`], { stdio: ["ignore", "pipe", "inherit"] })
      .toString()
      .split("\0")
      .slice(0, -1);
    expect(words, `seed ${seed}: ${JSON.stringify(text)}`).toEqual(shells);
    read++;
  }
  return read;
}

describe("C9: a script", () => {
  const place = { own: "/s", real: "/r" };
  const read = (text: string) => readScript(text, "/w", place);

  test.each([
    ["DISK=d.img\nqemu -hda $DISK", ["qemu", "-hda", "d.img"], "/w"],
    [
      'ARGS=(-m 1G\n  -hda "a b" # the disk\n)\nARGS+=(-smp 2)\nexec qemu "${ARGS[@]}" "$@"',
      ["qemu", "-m", "1G", "-hda", "a b", "-smp", "2"],
      "/w",
    ],
    ['OPTS="-m 1G -smp 2"\nqemu $OPTS', ["qemu", "-m", "1G", "-smp", "2"], "/w"],
    ["cd images\nqemu", ["qemu"], "/w/images"],
    ["cd /x && exec qemu", ["qemu"], "/x"],
    ["cd .. || exit 1\nqemu", ["qemu"], "/"],
    ['cd "$(dirname "$0")"\nqemu', ["qemu"], "/s"],
    ['cd -- "$(dirname -- "${BASH_SOURCE[0]}")" || exit\nqemu', ["qemu"], "/s"],
    ['HERE="$(cd "$(dirname "$0")" >/dev/null 2>&1 && pwd)"\nqemu -hda "$HERE/d"', ["qemu", "-hda", "/s/d"], "/w"],
    ['HERE=$(dirname "$(readlink -f "$0")")\nqemu -hda $HERE/d', ["qemu", "-hda", "/r/d"], "/w"],
    ["qemu -hda ${0%/*}/d", ["qemu", "-hda", "/s/d"], "/w"],
    ["cd b\nqemu -hda $PWD/d\ncd c\nexit 0", ["qemu", "-hda", "/w/b/d"], "/w/b"],
  ])("%j is read", (text, words, folder) => {
    expect(read(text)).toEqual({ words, folder, notes: [] });
  });

  test.each([
    ["a=1\n\nmkdir -p x\nqemu-system-x86_64", 'line 3: another command, "mkdir -p x", is in it'],
    ["qemu-system-x86_64\nrm x\n", 'line 2: a second command, "rm x", is in it'],
    ["qemu -m 1G \\ # memory\n  -smp 2", 'line 2: a second command, "-smp 2", is in it: the line before it does not continue'],
    ["\nf() {\nqemu\n}", "line 2: ( needs a shell"],
    ["qemu\nif true; then x; fi", "line 2: if needs a shell"],
    ["if [ -e x ]; then\n qemu\nfi", "line 1: if needs a shell"],
    ["for x in a b; do qemu; done", "line 1: for needs a shell"],
    ["cat > f <<EOF\nx\nEOF\nqemu", "line 1: > needs a shell"],
    ["A=1\nqemu -m $B", "line 2: $B: $ needs a shell, and no line before says what it stands for"],
    ["A=${B:-1}\nqemu", "line 1: $ needs a shell"],
    ["A=$(nproc)\nqemu -smp $A", "line 1: $ needs a shell"],
    ["A='*.img'\nqemu -hda $A", 'line 2: "*.img" stands for file names'],
    ["A=(-hda '*.img')\nqemu ${A[@]}", 'line 2: "*.img" stands for file names'],
    ["PATH=/opt:/bin\nqemu", "line 1: PATH is set"],
    ["IFS=,\nqemu", "line 1: IFS is set"],
    ["qemu -drive file=~/d", "line 1: ~ needs a shell"],
    ["qemu ~user/d", "line 1: ~ needs a shell"],
    ["A=x:~/y\nqemu", "line 1: ~ needs a shell"],
    ["SDL=1 qemu", 'line 1: SDL is set for "qemu" alone'],
    ['cd "$HOME"\nqemu', "line 1: $HOME"],
    ["cd\nqemu", "line 1: cd  needs a shell"],
    ["A=(x\nqemu", "line 1: a list is never closed"],
    ["qemu 2> log", "line 1: > needs a shell: only one plain command is read; start keeps what QEMU writes"],
    ["qemu &\nsleep 1", 'line 2: a second command, "sleep 1", is in it'],
    ["false || qemu", "line 1: | needs a shell"],
  ])("%j is refused, with its line and the way out", (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow("or run it, then adopt what it starts: qmpctl define --pid PID");
  });

  test("says that it has no environment where one is exported", () => {
    expect(read("export A=1\nexport A B\nqemu $A")).toMatchObject({
      words: ["qemu", "1"],
      notes: [
        expect.stringContaining("line 1, export A:"),
        expect.stringContaining("line 2, export A:"),
        expect.stringContaining("line 2, export B:"),
      ],
    });
  });
});
