import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** A declaration of dist/, as tsc wrote it. A function that may be called in several ways has several texts. */
export interface Declaration {
  readonly name: string;
  readonly kind: "class" | "function" | "const" | "interface" | "type";
  /** What is said of it, without stars. */
  readonly about: string;
  /** With what is said of its members, and without `export` and `declare`. */
  readonly texts: readonly string[];
}

/** What a file of declarations has. */
interface Declarations {
  readonly own: ReadonlyMap<string, Declaration>;
  /** Names that it exports from elsewhere: file and name there, by the name that they have here. */
  readonly from: ReadonlyMap<string, readonly [file: string, name: string]>;
  /** Files of which it exports everything. */
  readonly all: readonly string[];
}

/**
 * All that a file of declarations in `folder` exports, by name. What QEMU's own schema gives is left out: it is as long as QEMU's manual.
 */
export async function exportsOf(folder: string, entry: string): Promise<ReadonlyMap<string, Declaration>> {
  const { own, from, all } = await read(folder, entry);
  const found = new Map(own);
  for (const each of all) for (const [name, declaration] of await exportsOf(folder, each)) found.set(name, declaration);
  for (const [name, [file, theirs]] of from) {
    const declaration = file.startsWith("schema/generated/") ? undefined : (await exportsOf(folder, file)).get(theirs);
    if (declaration !== undefined) found.set(name, { ...declaration, name });
  }
  return found;
}

/** Every interface that a file and those that it imports declare, by name: also those that it does not export itself. */
export async function interfacesFrom(
  folder: string,
  entry: string,
  seen: Set<string> = new Set(),
): Promise<ReadonlyMap<string, Declaration>> {
  seen.add(entry);
  const { own, from, all, imports } = await read(folder, entry);
  const found = new Map<string, Declaration>();
  for (const file of new Set([...all, ...[...from.values()].map(([each]) => each), ...imports])) {
    if (seen.has(file) || file.startsWith("schema/generated/")) continue;
    for (const [name, declaration] of await interfacesFrom(folder, file, seen)) found.set(name, declaration);
  }
  for (const [name, declaration] of own) found.set(name, declaration);
  return found;
}

const files = new Map<string, Promise<Declarations & { readonly imports: readonly string[] }>>();

function read(folder: string, file: string): Promise<Declarations & { readonly imports: readonly string[] }> {
  const path = join(folder, file);
  const known = files.get(path) ?? readFile(path, "utf8").then((text) => declarationsIn(text, file));
  files.set(path, known);
  return known;
}

function declarationsIn(text: string, file: string): Declarations & { readonly imports: readonly string[] } {
  const own = new Map<string, Declaration>();
  const from = new Map<string, readonly [string, string]>();
  const [all, imports]: [string[], string[]] = [[], []];
  for (const [comment, statement] of statementsOf(text)) {
    const target = /\bfrom "(\.[^"]+)";$/.exec(statement)?.[1];
    const source = target === undefined ? undefined : join(file, "..", target).replace(/\.(ts|js)$/, ".d.ts");
    if (/^import\b/.test(statement)) {
      if (source !== undefined) imports.push(source);
    } else if (/^export (type )?\*/.test(statement)) {
      if (source !== undefined) all.push(source);
    } else if (/^export (type )?\{/.test(statement)) {
      for (const [theirs, ours] of namesIn(statement)) if (source !== undefined) from.set(ours, [source, theirs]);
    } else {
      const declaration = declarationOf(statement, comment);
      const before = own.get(declaration.name);
      own.set(declaration.name, {
        ...declaration,
        about: before?.about ?? declaration.about,
        texts: [...(before?.texts ?? []), ...declaration.texts],
      });
    }
  }
  return { own, from, all, imports };
}

function namesIn(statement: string): readonly (readonly [string, string])[] {
  const list = /\{([^}]*)\}/.exec(statement)?.[1] ?? "";
  const names = list.split(",").map((each) => each.trim().replace(/^type /, ""));
  return names.filter(Boolean).map((each) => {
    const [theirs = "", ours = theirs] = each.split(" as ");
    return [theirs, ours] as const;
  });
}

function declarationOf(statement: string, comment: string): Declaration {
  const text = statement.replace(/^export /, "").replace(/^declare /, "");
  const [, kind = "", name = ""] = /^(?:abstract )?(class|function|const|interface|type)\s+([\w$]+)/.exec(text) ?? [];
  if (name === "") throw new Error(`a statement that is not understood: ${statement}`);
  return { name, kind: kind as Declaration["kind"], about: plain(comment), texts: [text.replaceAll(/^ +(#private;|private .*)\n/gm, "")] };
}

/** The text of a comment, without its stars. */
export function plain(comment: string): string {
  const lines = comment
    .replace(/^\s*\/\*\*/, "")
    .replace(/\*\/\s*$/, "")
    .split("\n");
  return lines
    .map((line) => line.replace(/^\s*\* ?/, "").trim())
    .join("\n")
    .trim();
}

/** The statements of a file that tsc wrote, each with the comment before it: one begins wherever a line is not indented. */
function statementsOf(text: string): readonly (readonly [comment: string, statement: string])[] {
  const found: [string, string][] = [];
  let comment = "";
  let isOpen = false;
  for (const line of text.split("\n")) {
    if (isOpen || line.startsWith("/**")) {
      comment = isOpen ? `${comment}\n${line}` : line;
      isOpen = !line.trimEnd().endsWith("*/");
    } else if (/^(\/\/|import "|export \{\};|\s*$)/.test(line)) continue;
    else if (/^[\s{}|)\]]/.test(line) && found.length > 0) {
      // A comment in the middle of a type is not indented either.
      (found.at(-1) as [string, string])[1] += comment === "" ? `\n${line}` : `\n${comment}\n${line}`;
      comment = "";
    } else {
      found.push([comment, line]);
      comment = "";
    }
  }
  return found;
}
