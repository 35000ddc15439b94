import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { QmpctlError } from "../../errors.ts";
import type { SchemaEntry } from "./vocabulary.ts";

/**
 * Reads a recorded reply to query-qmp-schema: a file with the entries, or an object that has them as its `schema`.
 *
 * @throws QmpctlError (`config`) when the file is anything else
 */
export async function readSchema(path: string): Promise<readonly SchemaEntry[]> {
  return entriesIn(await readFile(path, "utf8").catch(() => ""), path);
}

function entriesIn(text: string, path: string): readonly SchemaEntry[] {
  try {
    const content = JSON.parse(text) as { readonly schema?: unknown };
    const entries = Array.isArray(content) ? content : content.schema;
    if (Array.isArray(entries)) return entries as readonly SchemaEntry[];
  } catch (cause) {
    throw new QmpctlError("config", `${path}: can't be read as a reply to query-qmp-schema`, { cause });
  }
  throw new QmpctlError("config", `${path}: no reply to query-qmp-schema`);
}

/** The schemas that come with this package, recorded from real QEMUs: `7.2.22_x86_64.json`. */
const RECORDED = recordedIn();

/** Two folders up from a bundle in dist/, three from this source. */
function recordedIn(): URL {
  const [bundled, source] = [new URL("../../fixtures/schema/", import.meta.url), new URL("../../../fixtures/schema/", import.meta.url)];
  return existsSync(bundled) ? bundled : source;
}

/** The recorded schema of a release (`7.2`, `7.2.22 (Debian …)`: the patch level makes no difference); undefined if none was recorded. */
export function schemaOfRelease(version: string | undefined, arch = "x86_64"): readonly SchemaEntry[] | undefined {
  const release = /^\d+\.\d+/.exec(version ?? "")?.[0];
  const file = recordedFiles().find((it) => release !== undefined && it.startsWith(`${release}.`) && it.endsWith(`_${arch}.json`));
  return file === undefined ? undefined : entriesIn(readFileSync(new URL(file, RECORDED), "utf8"), file);
}

function recordedFiles(): readonly string[] {
  try {
    return readdirSync(RECORDED);
  } catch {
    return [];
  }
}

/**
 * How a test chooses a schema: a recorded release, a file, the entries, or false for none; undefined for the release that the transcript
 * names.
 */
export type SchemaChoice = string | readonly SchemaEntry[] | false | undefined;

/**
 * How to load the schema that was chosen.
 *
 * @throws QmpctlError: `config` when a file is no schema, `usage` when a release was not recorded
 */
export async function schemaFor(
  choice: SchemaChoice,
  provenance: Readonly<Record<string, string>>,
): Promise<() => readonly SchemaEntry[] | undefined> {
  if (choice === undefined) return () => schemaOfRelease(provenance["qemu"], provenance["arch"]);
  if (choice === false) return () => undefined;
  const entries = typeof choice !== "string" ? choice : isRelease(choice) ? schemaOfRelease(choice) : await readSchema(choice);
  if (entries === undefined)
    throw new QmpctlError(
      "usage",
      `schema "${String(choice)}": recorded are ${recordedFiles()
        .filter((it) => it.endsWith("x86_64.json"))
        .map((it) => it.split(".", 2).join("."))
        .join(", ")}`,
    );
  return () => entries;
}

/** Whether the choice is a release, and not a file. */
export function isRelease(choice: SchemaChoice): choice is string {
  return typeof choice === "string" && /^\d+\.\d+$/.test(choice);
}
