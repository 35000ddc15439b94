import { anchor } from "../../src/config/anchor.ts";
import { boardOf, type Definition, fromCommandLine } from "../../src/config/command-line.ts";
import { whyNoEmulator } from "../../src/config/emulator.ts";
import { parseSize } from "../../src/config/launch.ts";
import type { BoardDefaults } from "../../src/config/qemu-values.ts";
import { readScript } from "../../src/config/shell-words.ts";
import { UsageError } from "../../src/errors.ts";
import { fixture, fixturesIn } from "./fixtures.ts";

/** The folder that the scripts of the corpus lie in, and are run in. */
export const FOLDER = "/srv/vm";

/** One command line of fixtures/config/command-lines, and what is right for it. See the README there. */
export interface Sample {
  readonly name: string;
  readonly script: string;
  /** The config that it becomes; null where it is refused. */
  readonly json: string | null;
  /** What is told: a line for each note, or the refusal. */
  readonly text: string;
  /** What its emulator says that its board has: where the command line leaves something to it. */
  readonly board: BoardDefaults | undefined;
  /** Why real QEMU can't be asked about it. */
  readonly notStarted: string | undefined;
  /** The oldest QEMU that has all of it, and the first that has not any more, as `9.1`; undefined for all of them. */
  readonly since: string | undefined;
  readonly until: string | undefined;
}

/** All of them. */
export const SAMPLES: readonly Sample[] = fixturesIn("command-lines", ".sh").map(read);

function read(name: string): Sample {
  const has = (ending: string): boolean => fixturesIn("command-lines", ending).includes(name);
  const script = fixture(`command-lines/${name}.sh`);
  const [, memory, vcpus] = /^# board: (\w+), (\d+) vCPUs?$/m.exec(script) ?? [];
  return {
    name,
    script,
    json: has(".json") ? fixture(`command-lines/${name}.json`) : null,
    text: has(".txt") ? fixture(`command-lines/${name}.txt`) : "",
    board: memory === undefined ? undefined : { memory: parseSize(memory), vcpus: Number(vcpus) },
    notStarted: /^# not started: (.*)$/m.exec(script)?.[1],
    since: /^# since: ([\d.]+)$/m.exec(script)?.[1],
    until: /^# until: ([\d.]+)$/m.exec(script)?.[1],
  };
}

/** The words of a sample, as its shell would run them: paths are absolute. @throws UsageError where they are no QEMU's */
export function wordsOf({ script }: Sample): {
  readonly argv: readonly string[];
  readonly notes: readonly string[];
  readonly relative: readonly string[];
} {
  const { words, notes, folder } = readScript(script, FOLDER, { own: FOLDER, real: FOLDER });
  const why = whyNoEmulator(words);
  if (why !== undefined)
    throw new UsageError(`command line: ${why}`, {
      value: words[0],
      expected: "a command line that begins with QEMU's own program, as qemu-system-x86_64",
    });
  return { ...anchor(words, folder), notes };
}

/** What `define FILE` makes of a sample, without what only the host can tell. @throws as it does */
export function define(sample: Sample): Definition {
  const { argv, notes, relative } = wordsOf(sample);
  const made = fromCommandLine(argv, sample.board === undefined ? {} : { board: sample.board });
  const moved =
    relative.length === 0 ? [] : [`relative paths are meant from ${FOLDER}, and are absolute now: ${[...new Set(relative)].join(", ")}`];
  return { ...made, notes: [...notes, ...made.notes, ...moved] };
}

/** Whether a sample leaves something to its board. */
export function asksBoard(sample: Sample): boolean {
  return boardOf(wordsOf(sample).argv) !== undefined;
}
