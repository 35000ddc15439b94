import { QmpctlError } from "../errors.ts";

/** What a member, a value, a command or an event is marked with: `deprecated`, `unstable`, or that it can do something. */
type Features = readonly string[] | undefined;

/** One member of an object. It may be left out when it has a `default` (always null so far). */
export interface SchemaMember {
  readonly name: string;
  readonly type: string;
  readonly default?: unknown;
  readonly features?: Features;
}

/** A type that JSON has: all of QEMU's integers are `int`, whatever their width; `value` is anything. */
export interface BuiltinType {
  readonly "meta-type": "builtin";
  readonly name: string;
  readonly "json-type": string;
}

/** `values` in all versions, `members` since 6.2: the same names, with their features. */
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

/** An object. With a `tag`, the member of that name says which variant's members are there besides. */
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

/** One command. `arg-type` names an object type, `ret-type` any. */
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

/** What one QEMU says of itself: its commands, its events, and the types that these name. */
export interface Introspection {
  readonly commands: ReadonlyMap<string, CommandEntry>;
  readonly events: ReadonlyMap<string, EventEntry>;
  readonly types: ReadonlyMap<string, SchemaType>;
}

/** The most entries that a schema may have, and members, variants and values that one of them may: QEMU 11.1 has 1,225, and 162. */
const MOST_ENTRIES = 10_000;
const MOST_PARTS = 4096;

/**
 * The reply to `query-qmp-schema` by name. Source: QEMU's qapi/introspect.json. Type names are masked: they mean something within one
 * reply only. Entries of a kind that is not known are passed over.
 *
 * @throws QmpctlError (`protocol`) when it is far larger than any QEMU's, or when a type is made of itself
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

/** Lists of lists, variants of variants: QEMU has two levels. */
const MOST_LEVELS = 16;

/**
 * How many lists of lists, alternates of alternates or variants of variants a type is. Refuses one that is made of itself in this way,
 * since what reads it would never come to its end; to have oneself as a member is fine.
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

/** A type by its name. Throws a QmpctlError (`protocol`) where the schema does not describe what it names. */
export function typeNamed(schema: Introspection, name: string): SchemaType {
  const type = schema.types.get(name);
  if (type === undefined) throw new QmpctlError("protocol", `query-qmp-schema: the type ${name} is named and not described`);
  return type;
}

/** The values of an enumeration, in QEMU's order. */
export function valuesOf(type: EnumType): readonly string[] {
  return type.members?.map(({ name }) => name) ?? type.values ?? [];
}
