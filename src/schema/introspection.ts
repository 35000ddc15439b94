import { QmpctlError } from "../errors.ts";

/** Marks of a member, a value, a command or an event: `deprecated`, `unstable`, or the name of an ability. */
type Features = readonly string[] | undefined;

/** One member of an object. A member with a `default` may be left out (the default is always null so far). */
export interface SchemaMember {
  readonly name: string;
  readonly type: string;
  readonly default?: unknown;
  readonly features?: Features;
}

/** A kind of JSON value. All of QEMU's integers are `int`, whatever their width; `value` is any kind. */
export interface BuiltinType {
  readonly "meta-type": "builtin";
  readonly name: string;
  readonly "json-type": string;
}

/** An enumeration. All versions have `values`; since 6.2 there are also `members`, the same names with their features. */
export interface EnumType {
  readonly "meta-type": "enum";
  readonly name: string;
  readonly values?: readonly string[] | undefined;
  readonly members?: readonly { readonly name: string; readonly features?: Features }[] | undefined;
}

/** A list of one type. */
export interface ArrayType {
  readonly "meta-type": "array";
  readonly name: string;
  readonly "element-type": string;
}

/** An object. With a `tag`, the value of the member of that name selects a variant, whose members are there too. */
export interface ObjectType {
  readonly "meta-type": "object";
  readonly name: string;
  readonly members: readonly SchemaMember[];
  readonly tag?: string | undefined;
  readonly variants?: readonly { readonly case: string; readonly type: string }[] | undefined;
}

/** One of several types, told apart by their kind of JSON value. */
export interface AlternateType {
  readonly "meta-type": "alternate";
  readonly name: string;
  readonly members: readonly { readonly type: string }[];
}

/** Any type of the schema. */
export type SchemaType = BuiltinType | EnumType | ArrayType | ObjectType | AlternateType;

/** One command. `arg-type` names an object type, `ret-type` any type. */
export interface CommandEntry {
  readonly "meta-type": "command";
  readonly name: string;
  readonly "arg-type": string;
  readonly "ret-type": string;
  readonly "allow-oob"?: boolean | undefined;
  readonly features?: Features;
}

/** One event. `arg-type` names the object type of its data. */
export interface EventEntry {
  readonly "meta-type": "event";
  readonly name: string;
  readonly "arg-type": string;
  readonly features?: Features;
}

/** One QEMU's own description: its commands, its events, and the types that they name. */
export interface Introspection {
  readonly commands: ReadonlyMap<string, CommandEntry>;
  readonly events: ReadonlyMap<string, EventEntry>;
  readonly types: ReadonlyMap<string, SchemaType>;
}

/**
 * The most entries that a schema may have, and the most members, variants and values that an entry may have. QEMU 11.1 has 1,225 entries,
 * and at most 162 in one.
 */
const MOST_ENTRIES = 10_000;
const MOST_PARTS = 4096;

/**
 * Reads the reply to `query-qmp-schema`. Source: QEMU's qapi/introspect.json. Type names are masked: they have a meaning within one reply
 * only. Entries of an unknown kind are skipped.
 *
 * @throws QmpctlError (`protocol`) when it is far larger than any QEMU's, or when a type contains itself other than as a member
 */
export function readIntrospection(reply: readonly { readonly name: string; readonly "meta-type": string }[]): Introspection {
  const commands = new Map<string, CommandEntry>();
  const events = new Map<string, EventEntry>();
  const types = new Map<string, SchemaType>();
  if (reply.length > MOST_ENTRIES) throw unlikely(`${reply.length} entries`);
  for (const entry of reply) {
    const most = largestOf(entry);
    if (most > MOST_PARTS) throw unlikely(`${entry.name} has ${most} parts`);
    if (entry["meta-type"] === "command") commands.set(entry.name, entry as CommandEntry);
    else if (entry["meta-type"] === "event") events.set(entry.name, entry as EventEntry);
    else if (TYPES.has(entry["meta-type"])) types.set(entry.name, entry as SchemaType);
  }
  const heights = new Map<string, number>();
  for (const type of types.values()) heightOf(type, types, heights, 1);
  return { commands, events, types };
}

function unlikely(why: string): QmpctlError {
  return new QmpctlError("protocol", `query-qmp-schema: not a schema of QEMU: ${why}`);
}

function largestOf(entry: object): number {
  return Math.max(0, ...Object.values(entry).map((value: unknown) => (Array.isArray(value) ? value.length : 0)));
}

/** The most levels of lists in lists, or variants in variants. QEMU has two. */
const MOST_LEVELS = 16;

/**
 * How many levels of lists, alternates or variants a type has. Refuses a type that contains itself in this way, because reading it would
 * never end. A type may have itself as a member.
 */
function heightOf(type: SchemaType, types: Introspection["types"], heights: Map<string, number>, level: number): number {
  const known = heights.get(type.name);
  if (known !== undefined) return known;
  if (level > MOST_LEVELS) throw unlikely(`the type ${type.name} is made of itself, or more than ${MOST_LEVELS} levels deep`);
  let height = 1;
  for (const name of partsOf(type)) {
    const part = types.get(name);
    if (part !== undefined && part["meta-type"] === type["meta-type"])
      height = Math.max(height, 1 + heightOf(part, types, heights, level + 1));
  }
  if (height > MOST_LEVELS) throw unlikely(`the type ${type.name} is more than ${MOST_LEVELS} levels deep`);
  heights.set(type.name, height);
  return height;
}

function partsOf(type: SchemaType): readonly string[] {
  if (type["meta-type"] === "array") return [type["element-type"]];
  if (type["meta-type"] === "alternate") return type.members.map((branch) => branch.type);
  return type["meta-type"] === "object" ? (type.variants ?? []).map((variant) => variant.type) : [];
}

const TYPES: ReadonlySet<string> = new Set(["builtin", "enum", "array", "object", "alternate"]);

/**
 * A type by its name.
 *
 * @throws QmpctlError (`protocol`) when the schema names the type but does not describe it
 */
export function typeNamed(schema: Introspection, name: string): SchemaType {
  const type = schema.types.get(name);
  if (type === undefined) throw new QmpctlError("protocol", `query-qmp-schema: the type ${name} is named but not described`);
  return type;
}

/** The values of an enumeration, in QEMU's order. */
export function valuesOf(type: EnumType): readonly string[] {
  return type.members?.map(({ name }) => name) ?? type.values ?? [];
}
