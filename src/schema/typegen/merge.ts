import { type AlternateType, type EnumType, type Introspection, type ObjectType, type SchemaType, typeNamed } from "../introspection.ts";

/** One QEMU's schema, and what to call that QEMU. */
export interface Source {
  /** A release, as `7.2`. */
  readonly version: string;
  readonly arch: string;
  readonly schema: Introspection;
}

/** A type in one of the sources. */
export interface Node {
  readonly source: number;
  readonly type: SchemaType;
}

/** What has a name of its own, or deserves one: the same type in all sources that have it. */
export interface MergedType {
  readonly kind: "enum" | "object" | "alternate";
  readonly nodes: readonly Node[];
}

/** One place where a type stands: in each source that has the place, one. */
export type Place = readonly Node[];

/** All sources as one. */
export interface Merged {
  readonly sources: readonly Source[];
  typeOf(node: Node): MergedType | undefined;
  /** The type that a name of one source stands for. */
  node(source: number, name: string): Node;
}

/**
 * Finds which types of one QEMU are which of another. Names don't tell, they are masked: two types are the same when the same place
 * of a command or an event has them, and then what stands in their members of the same name is the same too.
 */
export function merge(sources: readonly Source[]): Merged {
  const nodes = sources.map(
    ({ schema }, source) => new Map([...schema.types].map(([name, type]): [string, Node] => [name, { source, type }])),
  );
  const node = (source: number, name: string): Node =>
    nodes[source]?.get(name) ?? { source, type: typeNamed(sources[source]?.schema as Introspection, name) };
  const groups = new Map<Node, Node[]>();
  const places = rootPlaces(sources, node);
  // Members of types that turn out to be the same are places in turn; each round joins at least two types, or is the last.
  for (let joined = true; joined;) {
    joined = false;
    for (const place of places) joined = join(place, groups, node) || joined;
    places.splice(
      0,
      places.length,
      ...[...new Set(groups.values())].flatMap((members) => partsOf(members, node).map(({ place }) => place)),
    );
  }
  const merged = new Map<readonly Node[], MergedType>();
  for (const group of new Set(groups.values())) {
    merged.set(group, { kind: group[0]?.type["meta-type"] as MergedType["kind"], nodes: group.toSorted((a, b) => a.source - b.source) });
  }
  return { sources, node, typeOf: (it) => merged.get(groups.get(it) ?? []) };
}

function rootPlaces(sources: readonly Source[], node: Merged["node"]): Place[] {
  const places = new Map<string, Node[]>();
  const add = (place: string, it: Node): void => void places.set(place, [...(places.get(place) ?? []), it]);
  sources.forEach(({ schema }, source) => {
    for (const it of schema.commands.values()) {
      add(`>${it.name}`, node(source, it["arg-type"]));
      add(`<${it.name}`, node(source, it["ret-type"]));
    }
    for (const it of schema.events.values()) add(`!${it.name}`, node(source, it["arg-type"]));
  });
  return [...places.values()];
}

/** Makes one type of those that stand at one place, kind by kind, newest first. Returns whether anything is new. */
function join(place: Place, groups: Map<Node, Node[]>, node: Merged["node"]): boolean {
  let joined = false;
  const here: Node[][] = [];
  for (const it of place.map((one) => elementOf(one, node)).toReversed()) {
    if (!isNamed(it.type)) continue;
    const own = groups.get(it) ?? [it];
    joined ||= !groups.has(it);
    const other = here.find((group) => group === own || agree(group, own)) ?? own;
    if (other !== own) {
      other.push(...own);
      joined = true;
    } else here.push(own);
    for (const member of own) groups.set(member, other);
  }
  return joined;
}

/** Whether two groups can be one: of one kind, and not two types of one QEMU, which knows best what it tells apart. */
function agree(one: readonly Node[], two: readonly Node[]): boolean {
  if (one[0]?.type["meta-type"] !== two[0]?.type["meta-type"]) return false;
  return !one.some(({ source }) => two.some((it) => it.source === source));
}

/** What a list is of, however deep; any other type is itself. */
function elementOf(it: Node, node: Merged["node"]): Node {
  return it.type["meta-type"] === "array" ? elementOf(node(it.source, it.type["element-type"]), node) : it;
}

/** Whether a type is one to tell from others: JSON's own are not, nor is the empty object, which stands wherever there is nothing. */
export function isNamed(type: SchemaType): type is EnumType | ObjectType | AlternateType {
  return type["meta-type"] === "enum" || type["meta-type"] === "alternate" || (type["meta-type"] === "object" && !isNothing(type));
}

/** Whether a type is the object without members. */
export function isNothing(type: SchemaType): boolean {
  return type["meta-type"] === "object" && type.members.length === 0 && type.tag === undefined;
}

/** One part of a type: a member, a variant or a branch, with the place it makes. */
export interface Part {
  readonly kind: "member" | "variant" | "branch";
  readonly name: string;
  readonly place: Place;
}

/** The parts of a merged type, each with what stands there in the sources. */
export function partsOf(nodes: readonly Node[], node: Merged["node"]): readonly Part[] {
  const parts = new Map<string, { kind: Part["kind"]; name: string; place: Node[] }>();
  const add = (kind: Part["kind"], name: string, it: Node): void => {
    const part = parts.get(`${kind} ${name}`) ?? { kind, name, place: [] };
    part.place.push(it);
    parts.set(`${kind} ${name}`, part);
  };
  for (const { source, type } of nodes) {
    if (type["meta-type"] === "object") {
      for (const member of type.members) add("member", member.name, node(source, member.type));
      for (const variant of type.variants ?? []) add("variant", variant.case, node(source, variant.type));
    } else if (type["meta-type"] === "alternate") {
      // Branches have no names: those of one kind of JSON value are the same one, since no two of a type are of one kind.
      for (const branch of type.members) add("branch", jsonKind(node(source, branch.type)), node(source, branch.type));
    }
  }
  return [...parts.values()];
}

function jsonKind({ type }: Node): string {
  return type["meta-type"] === "builtin" ? type["json-type"] : type["meta-type"];
}
