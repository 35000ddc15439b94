import { execPath } from "node:process";
import { builtinModule } from "../builtin-module.ts";

/** The command line's program: the file that it is in, or the text of such a file where it came from another host and is in none. */
export type OwnProgram = { readonly path: string } | { readonly text: () => string };

const known: { find?: () => OwnProgram | undefined } = {};

/** Says where the command line's program is. It is looked for only when a timer is armed. */
export function programIs(find: () => OwnProgram | undefined): void {
  known.find = find;
}

/** The program of this package, for a timer of the host's to run; undefined where there is none, as in a program that bundles this one. */
export function ownProgram(): OwnProgram | undefined {
  const found = known.find?.();
  if (found === undefined || "text" in found) return found;
  return builtinModule("node:fs").existsSync(found.path) ? found : undefined;
}

/** The Node that runs us, by its path. */
export function ownNode(): string {
  return execPath;
}
