import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A declaration of dist/, by where it stands. */
interface Named {
  readonly file: string;
  readonly name: string;
}

/** The name by which a file as a whole is imported. */
const WHOLE = "*";

/** What one file of declarations says: each name's declarations (a function may have several), and where other names come from. */
interface Declarations {
  readonly own: ReadonlyMap<string, readonly string[]>;
  /** Names that are imported, or exported again, by the name that they have here. */
  readonly from: ReadonlyMap<string, Named>;
  /** Files whose names are all exported again. */
  readonly all: readonly string[];
  readonly exported: ReadonlySet<string>;
}

/**
 * Everything that can be reached from the exports of a file of declarations, as text: first what is exported, then what that is made of,
 * each
 * sorted by name. Comments are left out, and what QEMU's own schema gives (`schema/generated`), which has a check of its own.
 */
export async function publicTypes(folder: string, entry: string): Promise<string> {
  const files = new Map<string, Declarations>();
  const open = async (file: string): Promise<Declarations> => {
    const known = files.get(file);
    if (known !== undefined) return known;
    const fresh = declarationsIn(await readFile(join(folder, file), "utf8"), file);
    files.set(file, fresh);
    return fresh;
  };
  const exports = await exportsOf(entry, open);
  const reached = await reach([...exports.values()], open);
  const isPublic = new Set([...exports.values()].map(keyOf));
  const renamed = [...exports].filter(([name, at]) => name !== at.name).map(([name, at]) => `export { ${at.name} as ${name} };`);
  const [shown, used] = [reached.filter((each) => isPublic.has(keyOf(each))), reached.filter((each) => !isPublic.has(keyOf(each)))];
  const text = (part: readonly (Named & { readonly text: string })[]): string =>
    part
      .toSorted((one, other) => compare(one.name, other.name) || compare(one.text, other.text))
      .map((each) => each.text)
      .join("\n");
  return `// exported\n\n${[...renamed, text(shown)].join("\n")}\n\n// what that is made of\n\n${text(used)}\n`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function keyOf({ file, name }: Named): string {
  return `${file} ${name}`;
}

/** The names that a file exports, and where each is declared. */
async function exportsOf(file: string, open: (file: string) => Promise<Declarations>): Promise<ReadonlyMap<string, Named>> {
  const { exported, all } = await open(file);
  const inherited = await Promise.all(all.map((each) => exportsOf(each, open)));
  const own = await Promise.all([...exported].map(async (name) => [name, await homeOf({ file, name }, open)] as const));
  return new Map([...inherited.flatMap((each) => [...each]), ...own]);
}

/** Where a name is declared, through every file that hands it on. */
async function homeOf(named: Named, open: (file: string) => Promise<Declarations>): Promise<Named> {
  const { own, from, all } = await open(named.file);
  if (own.has(named.name) || named.name === WHOLE) return named;
  const next = from.get(named.name);
  if (next !== undefined) return next.file.startsWith("node:") ? next : homeOf(next, open);
  for (const each of all) {
    const found = (await exportsOf(each, open)).get(named.name);
    if (found !== undefined) return found;
  }
  throw new Error(`${named.file}: ${named.name} is not declared`);
}

/** All declarations that these are made of, themselves among them. */
async function reach(
  wanted: readonly Named[],
  open: (file: string) => Promise<Declarations>,
): Promise<readonly (Named & { readonly text: string })[]> {
  const seen = new Set<string>();
  const reached: (Named & { readonly text: string })[] = [];
  // Types that a conditional type only takes apart, as in `X extends Kind<infer C>`: the result has nothing of them but C.
  const takenApart = new Set<string>();
  const queue = [...wanted];
  for (let named = queue.shift(); named !== undefined; named = queue.shift()) {
    if (seen.has(keyOf(named)) || named.file.startsWith("node:")) continue;
    seen.add(keyOf(named));
    if (named.name === WHOLE) {
      queue.push(...(await exportsOf(named.file, open)).values());
      continue;
    }
    const { own, from } = await open(named.file);
    const isGenerated = named.file.startsWith("schema/generated/");
    const text = isGenerated ? `// ${named.name}: of QEMU's schema` : (own.get(named.name) ?? []).join("\n");
    reached.push({ ...named, text });
    if (isGenerated) continue;
    for (const [, name = ""] of text.matchAll(/ extends ([\w$]+)<[^?;]*\binfer /g)) takenApart.add(name);
    for (const name of new Set(text.match(/[A-Za-z_$][\w$]*/g))) {
      if (takenApart.has(name)) continue;
      if (own.has(name) || from.has(name)) queue.push(await homeOf({ file: named.file, name }, open));
    }
  }
  return reached;
}

function declarationsIn(text: string, file: string): Declarations {
  const own = new Map<string, readonly string[]>();
  const from = new Map<string, Named>();
  const all: string[] = [];
  const exported = new Set<string>();
  for (const statement of statementsOf(text)) {
    const [, word = "", star, list, source] =
      /^(import|export)\s+(?:type\s+)?(?:(\*)|\{([^}]*)\})(?:\s+from\s+"([^"]+)")?;$/.exec(statement) ?? [];
    if (word !== "") {
      const target = source === undefined ? file : source.startsWith(".") ? asDeclaration(join(file, "..", source)) : source;
      if (star !== undefined) all.push(target);
      for (const [theirs, ours] of namesOf(list ?? "")) {
        if (source !== undefined) from.set(ours, { file: target, name: theirs });
        if (word === "export") exported.add(ours);
      }
      continue;
    }
    const [, namespace, whole = ""] = /^import \* as ([\w$]+) from "([^"]+)";$/.exec(statement) ?? [];
    if (namespace !== undefined)
      from.set(namespace, { file: whole.startsWith(".") ? asDeclaration(join(file, "..", whole)) : whole, name: WHOLE });
    if (statement.startsWith("import ")) continue;
    const [, isExport, name] =
      /^(export\s+)?(?:declare\s+)?(?:abstract\s+)?(?:class|interface|type|function|const|enum)\s+([\w$]+)/.exec(statement) ?? [];
    if (name === undefined) throw new Error(`${file}: a statement that is not understood: ${statement}`);
    own.set(name, [...(own.get(name) ?? []), statement.replace(/^export /, "")]);
    if (isExport !== undefined) exported.add(name);
  }
  return { own, from, all, exported };
}

function asDeclaration(path: string): string {
  return path.replace(/\.(ts|js)$/, ".d.ts");
}

/** `a, type B as C` as pairs: the name there, the name here. */
function namesOf(list: string): readonly (readonly [string, string])[] {
  return list
    .split(",")
    .map((each) => each.trim().replace(/^type /, ""))
    .filter(Boolean)
    .map((each) => {
      const [theirs = "", ours = theirs] = each.split(" as ");
      return [theirs, ours] as const;
    });
}

/** The statements of a file that tsc wrote, without comments: one begins wherever a line is not indented. */
function statementsOf(text: string): readonly string[] {
  const lines = text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^\s+(#private;|private )/.test(line));
  const statements: string[] = [];
  for (const line of lines) {
    if (/^[\s{})\]]/.test(line)) statements.push(`${statements.pop() ?? ""}\n${line}`);
    else statements.push(line);
  }
  return statements.filter((statement) => !/^(import|export) \{\};$|^import "/.test(statement));
}
