import { type Declaration, exportsOf } from "./declarations.ts";

const ENTRIES: readonly (readonly [name: string, entry: string])[] = [
  ["qmpctl", "index.d.ts"],
  ["qmpctl/testing", "testing/index.d.ts"],
];

const PARTS: readonly (readonly [title: string, kinds: readonly Declaration["kind"][]])[] = [
  ["Functions", ["function", "const"]],
  ["Classes", ["class"]],
  ["Types", ["interface", "type"]],
];

/** The page of all public names, from the declarations in `dist`. */
export async function libraryPage(dist: string): Promise<string> {
  const parts = await Promise.all(ENTRIES.map(async ([name, entry]) => partsOf(name, await exportsOf(dist, entry))));
  return `# The library, name by name

Made from the declarations that come with the package: \`npm run reference\` writes this page, and a test compares it. [The library](LIBRARY.md) shows how it is used. The types of QEMU's own commands and events are left out: an editor shows them, and \`qmpctl types DOMAIN\` prints those of your QEMU.

${parts.join("\n")}`;
}

function partsOf(entry: string, names: ReadonlyMap<string, Declaration>): string {
  const all = [...names.values()].toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const parts = PARTS.map(([title, kinds]) => {
    const own = all.filter(({ kind }) => kinds.includes(kind));
    return own.length === 0 ? "" : `### ${title} of ${entry}\n\n${own.map(sectionOf).join("\n")}`;
  });
  return `## ${entry}\n\n${parts.filter(Boolean).join("\n")}`;
}

function sectionOf({ name, about, texts }: Declaration): string {
  const said = about === "" ? "" : `${asMarkdown(about)}\n\n`;
  return `#### ${name}\n\n${said}\`\`\`ts\n${texts.map((text) => text.replaceAll("    ", "  ")).join("\n")}\n\`\`\`\n`;
}

/** A comment as a page has it: its paragraphs, its lists, and what it throws. */
function asMarkdown(about: string): string {
  const lines = about.split("\n").map((line) => line.replace(/^@throws /, "**Throws** ").replace(/^@param (\S+)/, "**$1**:"));
  return lines
    .join("\n")
    .replaceAll(/(?<!\n)\n(\*\*Throws\*\*)/g, "\n\n$1")
    .replaceAll(/\{@link ([^}]+)\}/g, "`$1`");
}
