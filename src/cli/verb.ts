import type { Facade } from "../domain/facade.ts";
import type { Allowed } from "../remote/allowed.ts";
import type { Crew } from "../remote/fleet/crew.ts";
import type { Arguments, FlagsOf, Grammar, Options, TextsOf } from "./options.ts";

/** A place to write to. If the reader has gone, a write is dropped. */
export interface Sink {
  write(text: string): void;
  /**
   * Resolves when there is room for more, and at an interrupt. An endless writer must wait for this: what a slow reader has not taken
   * is kept in memory. It is absent if `write` itself waits.
   */
  drained?(): Promise<void>;
  readonly isTTY: boolean;
  /** The terminal's width in characters. `undefined`: this is no terminal. */
  readonly columns: number | undefined;
}

/** Where input comes from, typed or piped. */
export type Source = NodeJS.ReadableStream & { readonly isTTY?: boolean };

/** All that a verb sees of the process. Tests pass a literal instead. */
export interface Io {
  /** The answer. */
  readonly stdout: Sink;
  /** Errors, hints and progress. */
  readonly stderr: Sink;
  /** Touch it only to read from it: opening it costs time. */
  readonly stdin: Source;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts when the user interrupts, or when nobody reads stdout any more. */
  readonly signal: AbortSignal;
  /** Once it was called, a second interrupt aborts what it returns, instead of ending the program at once. The third one does that. */
  readonly secondInterrupt?: () => AbortSignal;
}

/** How the far end comes to be on another host. */
export interface There {
  /** The qmpctl that is installed there is used. */
  readonly installed?: boolean;
  /** The path of Node there. */
  readonly remoteNode?: string | undefined;
  /** The inventory of Ansible's that knows where hosts are. */
  readonly inventory?: string | undefined;
  /** How many hosts are worked with. */
  readonly many?: FleetWords;
}

/** What was said of how many hosts are worked with. */
export interface FleetWords {
  /** At most so many at once. */
  readonly atOnce?: number;
  /** After so many failures no more are begun. */
  readonly stopAfter?: number;
  /** What can be done is done, though some refuse. */
  readonly wherePossible?: true;
}

/** One use of a verb. The parameters are the options that may be asked for. */
export interface Call<Flag extends string = string, Text extends string = string> {
  readonly args: Arguments<Flag, Text>;
  readonly io: Io;
  readonly facade: Facade;
  /** Answers another host's program until it is gone; nothing limits it unless told. */
  readonly serve: (allowed?: Allowed) => Promise<void>;
  /** The host of `-H`, where there is one; and what was said of many. */
  readonly host?: string | undefined;
  readonly many?: FleetWords | undefined;
  /** The text of a file, where many calls read the same one. */
  readonly readText?: (path: string) => Promise<string>;
}

/** What a command line needs from outside. */
export interface World {
  readonly io: Io;
  readonly facade: Facade;
  /** The domains of another host. @throws UsageError when it can't be one; UnreachableError */
  readonly host: (name: string, how: There) => Promise<Facade>;
  /** The hosts of a list. @throws UsageError when it is none; HostError; ConfigError */
  readonly fleet: (hosts: string, how: There) => Promise<Crew>;
  /** Answers another host's program until it is gone; nothing limits it unless told. */
  readonly serve: (allowed?: Allowed) => Promise<void>;
  readonly version: () => Promise<string>;
}

/** What a verb is about: the domains there are, whether they run, what they have of each kind, and both descriptions of it. */
export type Section = "domains" | "power" | "memory" | "vcpus" | "threads" | "disks" | "halves";

/** A command line, without the program's name, and what it does. */
export type Example = readonly [command: string, what: string];

/** A table of the help, with a line before it. */
export interface HelpTable {
  readonly title: string;
  readonly rows: readonly (readonly string[])[];
}

/** One verb of the command line: how it is written, what it is for, what it does. */
export interface Verb<Flag extends string = string, Text extends string = string> extends Grammar {
  /** The verb and its operands as in `setmem DOMAIN SIZE`; one line for each way of writing it. */
  readonly usage: readonly string[];
  /** Where the list of verbs has it; without one, at the end. */
  readonly section?: Section;
  /** One line for the list of verbs. */
  readonly summary: string;
  /** What `--help` says besides: short paragraphs, one thought each. */
  readonly details?: readonly string[];
  /** A table below the details, which takes more than the verb's own file to make. */
  readonly table?: () => Promise<HelpTable>;
  /** Command lines that work as they stand, each with what it does. */
  readonly examples?: readonly Example[];
  /** Whether these words are about several domains, by other means than a pattern. @throws UsageError */
  readonly isOfSeveral?: (args: Arguments<Flag, Text>) => Promise<boolean>;
  /** Does the work and resolves with the exit code. `failure.ts` turns what it throws into a message and an exit code. */
  readonly run: (call: Call<Flag, Text>) => Promise<number>;
}

/** A verb whose `run` can ask only for the options that stand in its definition. */
export function defineVerb<const O extends Options>(verb: Verb<FlagsOf<O>, TextsOf<O>> & { readonly options: O }): Verb {
  return verb;
}
