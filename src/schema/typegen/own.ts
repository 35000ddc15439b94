import { readIntrospection } from "../introspection.ts";
import type { VersionInfo } from "../message.ts";
import { generateFile } from "./files.ts";

/**
 * The types of a running QEMU as one file of TypeScript, made of its own `query-qmp-schema`. `ask` runs a command without arguments.
 * Rejects as `ask` does. A program that emulates nothing, as qemu-storage-daemon, is said to be of no architecture.
 */
export async function typesOf(ask: (command: string) => Promise<unknown>): Promise<string> {
  const schema = readIntrospection((await ask("query-qmp-schema")) as Parameters<typeof readIntrospection>[0]);
  const { qemu, package: builder } = (await ask("query-version")) as VersionInfo;
  const arch = schema.commands.has("query-target") ? ((await ask("query-target")) as { readonly arch: string }).arch : "any";
  const from = `QEMU ${qemu.major}.${qemu.minor}.${qemu.micro}${builder === "" ? "" : ` (${builder})`}, ${arch},`;
  return generateFile({ version: `${qemu.major}.${qemu.minor}`, arch, schema }, from);
}
