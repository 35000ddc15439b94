import { readFile } from "node:fs/promises";
import type { Ask } from "../../../src/cli/shell/knowledge.ts";
import { Schema } from "../../../src/cli/shell/schema.ts";

/** What a real QEMU answered to `query-qmp-schema`, with names for its types. */
export async function recorded(version: string): Promise<ConstructorParameters<typeof Schema>[0]> {
  const text = await readFile(new URL(`../../../fixtures/schema/${version}_x86_64.json`, import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly schema: ConstructorParameters<typeof Schema>[0] }).schema;
}

/** A QEMU that has this schema, and these answers; it is asked what no test has foreseen in vain. */
export async function asking(
  answers: Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => unknown>> = {},
  version = "10.0.13",
): Promise<Ask> {
  const schema = await recorded(version);
  return async (command, args = {}) => (command === "query-qmp-schema" ? schema : answers[command]?.(args));
}
