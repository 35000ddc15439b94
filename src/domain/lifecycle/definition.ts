import type { Anchored } from "../../config/anchor.ts";
import type { LaunchConfig } from "../../config/launch.ts";
import { UsageError } from "../../errors.ts";
import type { Process } from "../../host/processes.ts";

/** A config that was read from a source, and notes on what was taken out or moved. */
export interface Definition {
  readonly text: string;
  readonly config: LaunchConfig;
  readonly notes: readonly string[];
  /** The process whose command line it is, which becomes this machine, with its words as they were read. */
  readonly process?: Process;
}

/** The name that the caller gave the domain, if any. */
export interface Called {
  readonly name?: string;
}

/** The same definition, with a note on the paths that were made absolute. */
export function noted(made: Definition, { relative }: Anchored, folder: string): Definition {
  if (relative.length === 0) return made;
  return {
    ...made,
    notes: [...made.notes, `relative paths are meant from ${folder}, and are absolute now: ${[...new Set(relative)].join(", ")}`],
  };
}

/** A word that a launch config can't have: it is UTF-8, and a command line any bytes. */
export function notUtf8(what: string): UsageError {
  return new UsageError(`${what} is not UTF-8, as a launch config has to be: give that file a name in UTF-8`, {
    value: what,
    expected: "words in UTF-8",
  });
}
