import type { Net } from "./around.ts";

/** What the owner's own config says of a machine, and no command line: a part of it is set only after a start. */
export interface Extras {
  /** The name there; null if it is not told. */
  readonly name: string | null;
  readonly nets: ReadonlyMap<string, Net>;
  /** Networks of the owner's by name, by the address of the guest's card: which bridge each is has to be asked. */
  readonly networks: ReadonlyMap<string, string>;
  /** Keys of a launch config, with what the note on each says. */
  readonly keys: readonly Extra[];
  /** What is not taken over. */
  readonly notes: readonly string[];
}

/** One key of a launch config. */
export interface Extra {
  readonly path: readonly string[];
  readonly value: string | number | Readonly<Record<string, string>>;
  /** Where it comes from. */
  readonly from: string;
}

/** Nothing is known besides the command line. */
export const NO_EXTRAS: Extras = { name: null, nets: new Map(), networks: new Map(), keys: [], notes: [] };
