import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Introspection, readIntrospection } from "../../src/schema/introspection.ts";

/** One recorded schema, as in its file. */
export interface Recording {
  /** QEMU's version, such as `7.2.22`. */
  readonly qemu: string;
  /** The architecture that QEMU emulates, such as `x86_64`. */
  readonly arch: string;
  /** Who built it. */
  readonly package: string;
  readonly schema: readonly { readonly name: string; readonly "meta-type": string }[];
}

/** The folder of recordings: `VERSION_ARCH.json`. */
export const RECORDINGS: string = new URL("../../fixtures/schema", import.meta.url).pathname;

/** A recording as text, with one entry of the schema a line, so that a diff shows what is new. */
export function writeRecording(recording: Recording): string {
  const { schema, ...provenance } = recording;
  const head = Object.entries(provenance).map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)},\n`);
  return `{${head.join("")}"schema":[\n${schema.map((entry) => JSON.stringify(entry)).join(",\n")}\n]}\n`;
}

/** All recordings, by version and architecture. */
export async function readRecordings(
  folder: string = RECORDINGS,
): Promise<readonly (Recording & { readonly introspection: Introspection })[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const recordings = await Promise.all(names.map(async (name) => JSON.parse(await readFile(join(folder, name), "utf8")) as Recording));
  return recordings
    .map((recording) => ({ ...recording, introspection: readIntrospection(recording.schema) }))
    .toSorted((a, b) => a.qemu.localeCompare(b.qemu, "en", { numeric: true }) || order(a.arch, b.arch));
}

/** x86_64 comes first, because it is recorded in all versions. */
function order(a: string, b: string): number {
  return Number(b === "x86_64") - Number(a === "x86_64") || (a < b ? -1 : 1);
}

/** `7.2.22` becomes `7.2`: the third number of a QEMU release never changes its commands. */
export function releaseOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}
