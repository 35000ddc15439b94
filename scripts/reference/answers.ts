import { SCHEMAS } from "../../src/cli/commands/schema.ts";
import type { JsonSchema } from "../../src/shape.ts";
import { cell } from "./cell.ts";
import { type Declaration, interfacesFrom, plain } from "./declarations.ts";

/** Files that are read or written, and have a page of their own. */
const FILES: ReadonlySet<string> = new Set(["config", "allocation"]);

/** The type that each answer has in the library: what is said of its members stands there. `schema.ts` checks that they are the same. */
const TYPES: Readonly<Record<string, string>> = {
  report: "Report",
  fleet: "FleetReport",
  list: "DomainInfo",
  info: "DomainInfo",
  diff: "DiffRow",
  vcpuinfo: "VcpuInfo",
  threads: "ThreadInfo",
  domblklist: "DiskInfo",
  stats: "DomainStats",
  metrics: "DomainStats",
  top: "Frame",
  memstat: "MemoryStatistics",
  start: "StartReport",
  shutdown: "StopReport",
};

/** The page of all answers with `--json`, from the shapes that they are checked by. */
export async function answersPage(dist: string): Promise<string> {
  const from = await Promise.all(
    ["index.d.ts", "cli/top/frame.d.ts", "cli/commands/schema.d.ts"].map((file) => interfacesFrom(dist, file)),
  );
  const types = new Map(from.flatMap((each) => [...each]));
  const parts: string[] = [];
  for (const [name, [about, make]] of Object.entries(SCHEMAS)) {
    if (FILES.has(name)) continue;
    const rows = rowsOf(await make(), "", types, types.get(TYPES[name] ?? ""));
    parts.push(
      `## ${name}\n\n${about[0]?.toUpperCase()}${about.slice(1)}.\n\n| member | what it is | |\n|---|---|---|\n${rows.join("\n")}\n`,
    );
  }
  return `# The answers

What \`--json\` prints, by the name that \`qmpctl schema NAME\` has for it. Made from the shapes that the types of the library are checked by: \`npm run reference\` writes this page, and a test compares it.

Sizes are in bytes, and times in milliseconds unless it is said otherwise. A member in *italics* may be absent; \`[]\` is each member of a list, \`*\` each member of an object. What is new in a release adds members: a program leaves alone what it does not know.

${parts.join("\n")}`;
}

type Types = ReadonlyMap<string, Declaration>;

function rowsOf(schema: JsonSchema, at: string, types: Types, type: Declaration | undefined): readonly string[] {
  if (schema.items !== undefined) return rowsOf(schema.items, `${at}[]`, types, type);
  if (typeof schema.additionalProperties === "object") return rowsOf(schema.additionalProperties, `${at}.*`, types, type);
  const inner =
    schema.properties === undefined
      ? schema.anyOf?.filter(({ properties, items }) => properties !== undefined || items !== undefined)
      : undefined;
  if (inner?.length === 1 && inner[0] !== undefined) return rowsOf(inner[0], at, types, type);
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) => {
    const key = at === "" ? name : `${at}.${name}`;
    const isOptional = schema.required?.includes(name) !== true;
    const member = memberOf(type, name);
    const shown = isOptional ? `*\`${key}\`*` : `\`${key}\``;
    return [`| ${shown} | ${cell(wordsOf(each))} | ${cell(member.about)} |`, ...rowsOf(each, key, types, typeIn(member.type, types))];
  });
}

/** What a value may be, in words. */
function wordsOf({ type, enum: words, anyOf, items, additionalProperties, properties }: JsonSchema): string {
  if (words !== undefined) return words.map((word) => `\`${word}\``).join(", ");
  if (items !== undefined) return `a list of ${plural(wordsOf(items))}`;
  if (anyOf !== undefined)
    return anyOf.every(({ properties: own }) => own !== undefined)
      ? "one of several objects"
      : [...new Set(anyOf.map(wordsOf))].join(" or ");
  if (properties !== undefined || additionalProperties !== undefined) return "an object";
  const types = (typeof type === "string" ? [type] : (type ?? [])).map((each) => NAMES[each] ?? each);
  return types.length === 0 ? "any value" : types.join(" or ");
}

const NAMES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  null: "null",
  object: "an object",
};

function plural(words: string): string {
  const known: Readonly<Record<string, string>> = {
    "a text": "texts",
    "a number": "numbers",
    "an object": "objects",
    "one of several objects": "objects",
  };
  return known[words] ?? words;
}

interface Member {
  readonly about: string;
  readonly type: string;
}

/** What a type says of one of its members. */
function memberOf(type: Declaration | undefined, name: string): Member {
  for (const text of type?.texts ?? []) {
    const found = new RegExp(`^ {4}(?:readonly )?${name}\\??: ([^]*?);$`, "m").exec(text);
    if (found === null) continue;
    const comment = /\/\*\*(?:(?!\*\/)[^])*\*\/\s*$/.exec(text.slice(0, found.index))?.[0] ?? "";
    return { about: plain(comment).replaceAll("\n", " "), type: found[1] ?? "" };
  }
  return { about: "", type: "" };
}

function typeIn(text: string, types: Types): Declaration | undefined {
  return (text.match(/\b[A-Z]\w+/g) ?? []).map((name) => types.get(name)).find((each) => each?.kind === "interface");
}
