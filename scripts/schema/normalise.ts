import { type Introspection, readIntrospection, type SchemaType, typeNamed, valuesOf } from "../../src/schema/introspection.ts";

type Entry = { readonly name: string; readonly "meta-type": string };

/** QEMU's type without members. It stands for "nothing". */
const NOTHING = "{}";

/**
 * Gives a schema an order and type names that do not depend on its other entries, so that a diff can compare two schemas.
 * QEMU numbers its types in order of use, so one new command renumbers all of them. Here the name of a type is the shortest path to it:
 * `>command` for arguments, `<command` for a reply, `!EVENT` for data, then `.member`, `/variant`, `|branch`, and `[…]` around a list.
 * The result is still a reply to query-qmp-schema, but the names of enumeration values appear once instead of twice.
 */
export function normalise(reply: readonly Entry[]): readonly Entry[] {
  const schema = readIntrospection(reply);
  const names = nameAll(schema);
  const named = (name: string): string => names.get(name) ?? name;
  const types = [...names.keys()].map((name) => rename(typeNamed(schema, name), named)).toSorted(byName);
  const commands = [...schema.commands.values()].map((it) => ({
    ...head(it),
    "arg-type": named(it["arg-type"]),
    "ret-type": named(it["ret-type"]),
    ...marks(it),
  }));
  const events = [...schema.events.values()].map((it) => ({ ...head(it), "arg-type": named(it["arg-type"]), ...marks(it) }));
  return [...commands.toSorted(byName), ...events.toSorted(byName), ...types];
}

function nameAll(schema: Introspection): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const queue: (readonly [type: string, name: string])[] = [];
  for (const { name, "arg-type": taken, "ret-type": given } of [...schema.commands.values()].toSorted(byName))
    queue.push([taken, `>${name}`], [given, `<${name}`]);
  for (const { name, "arg-type": data } of [...schema.events.values()].toSorted(byName)) queue.push([data, `!${name}`]);
  // The list grows while it is read, so near types come first.
  for (const [type, name] of queue) {
    if (names.has(type)) continue;
    const described = typeNamed(schema, type);
    names.set(type, nameOf(described, name));
    queue.push(...partsOf(described, name));
  }
  for (const [type, described] of schema.types)
    if (described["meta-type"] === "array" && names.has(type)) names.set(type, `[${names.get(described["element-type"])}]`);
  return names;
}

function nameOf(type: SchemaType, name: string): string {
  if (type["meta-type"] === "builtin") return type.name;
  return type["meta-type"] === "object" && type.members.length === 0 && type.tag === undefined ? NOTHING : name;
}

function partsOf(type: SchemaType, name: string): readonly (readonly [string, string])[] {
  switch (type["meta-type"]) {
    case "array":
      return [[type["element-type"], name]];
    case "object":
      return [
        ...type.members.map((member) => [member.type, `${name}.${member.name}`] as const),
        ...(type.variants ?? []).map((variant) => [variant.type, `${name}/${variant.case}`] as const),
      ];
    case "alternate":
      return type.members.map((branch, index) => [branch.type, `${name}|${index}`] as const);
    default:
      return [];
  }
}

function rename(type: SchemaType, named: (name: string) => string): Entry {
  const first = { name: named(type.name), "meta-type": type["meta-type"] };
  switch (type["meta-type"]) {
    case "array":
      return { ...type, ...first, "element-type": named(type["element-type"]) } as Entry;
    case "object": {
      const members = type.members.map((member) => ({ ...member, type: named(member.type) }));
      const variants = type.variants
        ?.map((variant) => ({ ...variant, type: named(variant.type) }))
        .toSorted((a, b) => order(a.case, b.case));
      return { ...first, members, ...(variants === undefined ? {} : { tag: type.tag, variants }), ...marks(type) } as Entry;
    }
    case "alternate":
      return { ...first, members: type.members.map((branch) => ({ type: named(branch.type) })) } as Entry;
    case "enum":
      return {
        ...first,
        ...(type.members?.some(({ features }) => features !== undefined) ? { members: type.members } : { values: valuesOf(type) }),
      } as Entry;
    default:
      return type;
  }
}

function head(it: Entry): Entry {
  return { name: it.name, "meta-type": it["meta-type"] };
}

/** The other properties: features, and whether a command may go out of band. */
function marks(it: object): object {
  const kept = ["allow-oob", "features"].filter((key) => key in it);
  return Object.fromEntries(kept.map((key) => [key, (it as Readonly<Record<string, unknown>>)[key]]));
}

function byName(a: Entry, b: Entry): number {
  return order(a.name, b.name);
}

/** Compares by code unit, which is the same on every host. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
