import { type AlternateType, type EnumType, type Introspection, type ObjectType, type SchemaType, typeNamed } from "../introspection.ts";

/** One QEMU's schema, and the name of that QEMU. */
export interface Source {
  /** A release, as `7.2`. */
  readonly version: string;
  readonly arch: string;
  readonly schema: Introspection;
}

/** One type of one source. */
export interface Node {
  readonly source: number;
  readonly type: SchemaType;
}

/** A type that has a name, or deserves one: the types of all sources that are the same. */
export interface MergedType {
  readonly kind: "enum" | "object" | "alternate";
  readonly nodes: readonly Node[];
}

/** One place where a type is used, with the type that each source has there. */
export type Place = readonly Node[];

/** All sources merged. */
export interface Merged {
  readonly sources: readonly Source[];
  typeOf(node: Node): MergedType | undefined;
  /** The type with this name in one source. */
  node(source: number, name: string): Node;
}

/**
 * Finds which types of different QEMUs are the same. Their names do not tell, because they are masked. Two types are the same if the same
 * place of a command or an event has them; then the types of their members of the same name are the same too.
 */
export function merge(sources: readonly Source[]): Merged {
  const nodes = sources.map(
    ({ schema }, source) => new Map([...schema.types].map(([name, type]): [string, Node] => [name, { source, type }])),
  );
  const node = (source: number, name: string): Node =>
    nodes[source]?.get(name) ?? { source, type: typeNamed(sources[source]?.schema as Introspection, name) };
  const groups = new Map<Node, Node[]>();
  const places = rootPlaces(sources, node);
  // The members of merged types are places in turn. Each round merges at least two types, or is the last.
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

/** Merges the types that stand at one place, kind by kind, newest first. Returns whether anything changed. */
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

/** Whether two groups can be merged: they are of one kind, and no QEMU has a type in both, because a QEMU's own distinctions count. */
function agree(one: readonly Node[], two: readonly Node[]): boolean {
  if (one[0]?.type["meta-type"] !== two[0]?.type["meta-type"]) return false;
  return !one.some(({ source }) => two.some((it) => it.source === source));
}

/** The element type of a list, however deep; any other type itself. */
function elementOf(it: Node, node: Merged["node"]): Node {
  return it.type["meta-type"] === "array" ? elementOf(node(it.source, it.type["element-type"]), node) : it;
}

/**
 * Whether a type has to be told from others. JSON's own kinds have not, nor has the empty object, which is used wherever there is nothing.
 */
export function isNamed(type: SchemaType): type is EnumType | ObjectType | AlternateType {
  return type["meta-type"] === "enum" || type["meta-type"] === "alternate" || (type["meta-type"] === "object" && !isNothing(type));
}

/** Whether a type is the object without members. */
export function isNothing(type: SchemaType): boolean {
  return type["meta-type"] === "object" && type.members.length === 0 && type.tag === undefined;
}

/** One part of a type: a member, a variant or a branch, and the place that it makes. */
export interface Part {
  readonly kind: "member" | "variant" | "branch";
  readonly name: string;
  readonly place: Place;
}

/** The parts of a merged type, each with the types that the sources have there. */
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
      // Branches have no names. Each kind of JSON value has at most one branch, so the kind identifies it.
      for (const branch of type.members) add("branch", jsonKind(node(source, branch.type)), node(source, branch.type));
    }
  }
  return [...parts.values()];
}

function jsonKind({ type }: Node): string {
  return type["meta-type"] === "builtin" ? type["json-type"] : type["meta-type"];
}
