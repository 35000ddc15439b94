import { isNamed, isNothing, type Merged, type MergedType, type Node, partsOf, type Place } from "./merge.ts";
import type { Named } from "./names.ts";
import { type Case, choicesOf, isEmpty, type Member, shapeOf } from "./shapes.ts";

/** Marks the name of a type until it is known which file the type is in. */
export const LINK = "\u0001";

/** Names of types that are not QEMU's: a 64-bit integer, any other text, nothing. */
export const OWN_TYPES = `/** QEMU's integers have up to 64 bits, signed or not: a number where a number holds it exactly, else a bigint. */
export type Integer = number | bigint;

/** Any other text: a newer QEMU may know more values. */
export type Other = string & {};

/** An object without members, so far. */
export type Nothing = Readonly<Record<string, unknown>>;
`;

const SCALARS: Readonly<Record<string, string>> = {
  string: "string",
  int: `${LINK}Integer`,
  number: `number | ${LINK}Integer`,
  boolean: "boolean",
  null: "null",
};

/** A type of at most so many characters is written in place: a name would only send the reader elsewhere. */
const SHORT = 80;

/**
 * Writes types as TypeScript. A type that is used for the first time is written out; a long one is kept in `declared`, and its name is
 * used.
 */
export class Renderer {
  /** The text after each type's name: ` = …;` or ` {…}`. */
  readonly declared: Map<MergedType, string> = new Map();
  readonly #merged: Merged;
  readonly #names: ReadonlyMap<MergedType, Named>;
  readonly #short = new Map<MergedType, string>();
  readonly #open = new Set<MergedType>();

  constructor(merged: Merged, names: ReadonlyMap<MergedType, Named>) {
    this.#merged = merged;
    this.#names = names;
  }

  /** The type that is used at a place. */
  place(place: Place): string {
    const all = place.toReversed();
    const named = new Map<string, string>();
    // If one kind has several types, the newest source counts.
    for (const it of all) if (!named.has(kindOf(it))) named.set(kindOf(it), this.#node(it));
    if (named.has("enum")) named.delete("string");
    if (named.size > 1) named.delete("nothing");
    return unionOf([...named.values()]).join(" | ");
  }

  #node({ source, type }: Node): string {
    switch (type["meta-type"]) {
      case "builtin":
        return SCALARS[type["json-type"]] ?? "unknown";
      case "array": {
        const item = this.#node(this.#merged.node(source, type["element-type"]));
        return `readonly ${/[|&]/.test(item) && !item.startsWith("{") ? `(${item})` : item}[]`;
      }
      default:
        return isNamed(type) ? this.#type(this.#merged.typeOf({ source, type }) ?? this.#find({ source, type })) : `${LINK}Nothing`;
    }
  }

  #find({ source, type }: Node): MergedType {
    const found = this.#merged.typeOf(this.#merged.node(source, type.name));
    if (found === undefined) throw new Error(`${type.name}: stands nowhere`);
    return found;
  }

  #type(type: MergedType): string {
    const short = this.#short.get(type);
    if (short !== undefined) return short;
    const name = LINK + (this.#names.get(type)?.name ?? "");
    if (this.declared.has(type) || this.#open.has(type)) return name;
    this.#open.add(type);
    const body = type.kind === "enum" ? this.#enum(type) : type.kind === "alternate" ? this.#alternate(type) : this.#object(type);
    this.#open.delete(type);
    const inline = body.replace(/^ (= )?/, "").replace(/;$/, "");
    if (inline.length <= SHORT && !/\n|\/\*/.test(inline)) {
      this.#short.set(type, inline);
      return inline;
    }
    this.declared.set(type, body);
    return name;
  }

  #enum(type: MergedType): string {
    const choices = choicesOf(type, this.#merged);
    return ` =${wrapUnion([...choices.map(({ value, notes }) => commented(JSON.stringify(value), notes)), `${LINK}Other`])};`;
  }

  #alternate(type: MergedType): string {
    return ` =${wrapUnion(unionOf(partsOf(type.nodes, this.#merged.node).map(({ place }) => this.place(place))))};`;
  }

  #object(type: MergedType): string {
    const { members, variants } = shapeOf(type, this.#merged);
    const base = members.map((it) => this.#member(it));
    if (variants === undefined) return ` ${braced(base)}`;
    const cases = this.#cases(variants.tag, variants.cases);
    return base.length === 0 ? ` =${cases};` : ` = ${braced(base)} & (${cases}\n);`;
  }

  #member({ name, place, optional, notes }: Member): string {
    const key = keyOf(name);
    const text = this.place(place);
    return `${notes === "" ? "" : `/** ${notes} */ `}readonly ${key}${optional ? "?" : ""}: ${text}${optional && text !== "unknown" ? " | undefined" : ""}`;
  }

  /** A branch for each set of further members. Values of the tag with the same members share a branch. */
  #cases(tag: string, cases: readonly Case[]): string {
    const key = keyOf(tag);
    const branches = new Map<string, string[]>();
    for (const { value, place, notes } of cases) {
      const rest = isEmpty(place) ? "" : this.place(place);
      branches.set(rest, [...(branches.get(rest) ?? []), commented(JSON.stringify(value), notes)]);
    }
    return [...branches]
      .map(
        ([rest, values]) =>
          `\n  | { readonly ${key}: ${values.join(" | ")}${rest === "" ? " }" : rest.startsWith("{ ") ? `; ${rest.slice(2)}` : ` } & ${wrapped(rest)}`}`,
      )
      .join("");
  }
}

/** A name as the key of a member. */
export function keyOf(name: string): string {
  return /^[A-Za-z_]\w*$/.test(name) ? name : JSON.stringify(name);
}

/** A union without duplicates. */
function unionOf(texts: readonly string[]): readonly string[] {
  const simple = texts.flatMap((text) => (/[{(]/.test(text) ? [text] : text.split(" | ")));
  return [...new Set(simple)];
}

/** The kind of value that a type describes. At one place, types of one kind are one type. */
function kindOf({ type }: Node): string {
  if (type["meta-type"] === "builtin") return type["json-type"];
  return isNothing(type) ? "nothing" : type["meta-type"];
}

function wrapped(text: string): string {
  return text.includes("|") ? `(${text})` : text;
}

function commented(text: string, notes: string): string {
  return notes === "" ? text : `/** ${notes} */ ${text}`;
}

function braced(members: readonly string[]): string {
  const line = `{ ${members.join("; ")} }`;
  if (line.length <= SHORT && !line.includes("/*")) return line;
  return `{\n${members.map((member) => `  ${member.replaceAll("*/ readonly", "*/\n  readonly")};\n`).join("")}}`;
}

const WIDE = 140;

function wrapUnion(choices: readonly string[]): string {
  const line = choices.join(" | ");
  if (line.length <= WIDE) return ` ${line}`;
  const lines: string[] = [];
  for (const choice of choices) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + choice.length + 3 <= WIDE) lines[lines.length - 1] = `${last} | ${choice}`;
    else lines.push(`  | ${choice}`);
  }
  return `\n${lines.join("\n")}`;
}
