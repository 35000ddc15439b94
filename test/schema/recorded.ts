import { readRecordings, type Recording, releaseOf } from "../../scripts/schema/recording.ts";
import type { Introspection } from "../../src/schema/introspection.ts";

/** All recorded schemas, as `7.2_x86_64`. */
export const recorded: ReadonlyMap<string, Recording & { readonly introspection: Introspection }> = new Map(
  (await readRecordings()).map((recording) => [`${releaseOf(recording.qemu)}_${recording.arch}`, recording]),
);

/** One recorded schema by that name. */
export function schemaOf(name: string): Introspection {
  const recording = recorded.get(name);
  if (recording === undefined) throw new Error(`${name}: not recorded`);
  return recording.introspection;
}
