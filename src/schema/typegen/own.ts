import { QmpctlError } from "../../errors.ts";
import { type Introspection, readIntrospection, valuesOf } from "../introspection.ts";
import type { VersionInfo } from "../message.ts";
import { generateFile } from "./files.ts";

/**
 * Writes the types of a running QEMU as one TypeScript file, from its own `query-qmp-schema`. `ask` runs a command without arguments.
 * QEMU's names become part of a program here, so each is checked to be a name. A program that emulates nothing, as qemu-storage-daemon, is
 * reported as having no architecture.
 *
 * @throws QmpctlError (`protocol`) when something has a name that QAPI does not allow; what `ask` rejects with
 */
export async function typesOf(ask: (command: string) => Promise<unknown>): Promise<string> {
  const schema = readIntrospection((await ask("query-qmp-schema")) as Parameters<typeof readIntrospection>[0]);
  for (const name of namesIn(schema)) requireName("query-qmp-schema", name);
  const { qemu, package: builder } = (await ask("query-version")) as VersionInfo;
  const arch = schema.commands.has("query-target") ? ((await ask("query-target")) as { readonly arch: string }).arch : "any";
  for (const number of [qemu.major, qemu.minor, qemu.micro]) requireName("query-version", String(number));
  requireName("query-target", arch);
  // This goes into one line of a comment, so line breaks and other characters are replaced.
  const packaged = builder === "" ? "" : ` (${builder.replace(/[^\x20-\x7e]+/g, " ").trim()})`;
  const from = `QEMU ${qemu.major}.${qemu.minor}.${qemu.micro}${packaged}, ${arch},`;
  return generateFile({ version: `${qemu.major}.${qemu.minor}`, arch, schema }, from);
}

/** Everything in a schema that is written as a name, as a string, or in a comment. */
function namesIn({ commands, events, types }: Introspection): readonly string[] {
  const ofEntries = [...commands.values(), ...events.values()].flatMap(({ name, features }) => [name, ...(features ?? [])]);
  const ofTypes = [...types.values()].flatMap((type): readonly string[] => {
    if (type["meta-type"] === "enum") return [...valuesOf(type), ...(type.members ?? []).flatMap(({ features }) => features ?? [])];
    if (type["meta-type"] !== "object") return [];
    const members = type.members.flatMap(({ name, features }) => [name, ...(features ?? [])]);
    return [...members, ...(type.tag === undefined ? [] : [type.tag]), ...(type.variants ?? []).map((variant) => variant.case)];
  });
  return [...ofEntries, ...ofTypes];
}

/**
 * Refuses anything but letters, digits, and what QAPI allows between them (docs/devel/qapi-code-gen, "Naming rules"; vendors have a dot).
 */
function requireName(command: string, name: string): void {
  if (/^[\w.+-]{1,200}$/.test(name)) return;
  throw new QmpctlError("protocol", `${command}: ${JSON.stringify(name.slice(0, 200))} is not a name that QEMU's schema can have`);
}
