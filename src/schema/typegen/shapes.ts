import { type ObjectType, type SchemaMember, valuesOf } from "../introspection.ts";
import { isNothing, type Merged, type MergedType, type Part, partsOf, type Place } from "./merge.ts";
import { type Marked, notes } from "./presence.ts";

/** One member, ready to be written. */
export interface Member {
  readonly name: string;
  readonly place: Place;
  /** Whether it may be missing in some of the sources that have the type. */
  readonly optional: boolean;
  readonly notes: string;
}

/** An object, ready to be written. */
export interface Shape {
  readonly members: readonly Member[];
  readonly variants: { readonly tag: string; readonly cases: readonly Case[] } | undefined;
}

/** One value of a tag, and the members that come with it. */
export interface Case {
  readonly value: string;
  readonly place: Place;
  readonly notes: string;
}

/** The shape of an object type in all sources together. If some sources have a tag and others do not, the newer ones count. */
export function shapeOf(type: MergedType, merged: Merged): Shape {
  const objects = type.nodes.map((it) => ({ source: it.source, type: it.type as ObjectType }));
  const among = new Set(objects.map(({ source }) => source));
  const parts = partsOf(type.nodes, merged.node);
  const tag = objects.findLast((it) => it.type.tag !== undefined)?.type.tag;
  const members = parts
    .filter((part) => part.kind === "member" && part.name !== tag)
    .map((part): Member => {
      const inEach = objects.map(({ source, type }) => ({ source, member: type.members.find(({ name }) => name === part.name) }));
      const optional = inEach.some(({ member }) => member === undefined || "default" in member);
      const marked = inEach.flatMap(({ source, member }): Marked[] =>
        member === undefined ? [] : [{ source, features: featuresOf(member) }],
      );
      return { name: part.name, place: part.place, optional, notes: notes(merged.sources, marked, among) };
    });
  if (tag === undefined) return { members, variants: undefined };
  return { members, variants: { tag, cases: casesOf(parts, merged, objects, tag) } };
}

function casesOf(
  parts: readonly Part[],
  merged: Merged,
  objects: readonly { readonly source: number; readonly type: ObjectType }[],
  tag: string,
): readonly Case[] {
  const tagged = new Set(objects.filter(({ type }) => type.tag !== undefined).map(({ source }) => source));
  const enums = parts.find((part) => part.kind === "member" && part.name === tag)?.place ?? [];
  return parts
    .filter((part) => part.kind === "variant")
    .map(({ name, place }) => {
      const marked = place.map(({ source }): Marked => ({ source, features: valueFeatures(enums, source, name) }));
      return { value: name, place, notes: notes(merged.sources, marked, tagged) };
    });
}

function valueFeatures(enums: Place, source: number, value: string): readonly string[] | undefined {
  const type = enums.find((it) => it.source === source)?.type;
  return type?.["meta-type"] === "enum" ? type.members?.find(({ name }) => name === value)?.features : undefined;
}

function featuresOf(member: SchemaMember): readonly string[] | undefined {
  return member.features;
}

/** The values of an enumeration, those of the newest source first, each with its notes. */
export function choicesOf(type: MergedType, merged: Merged): readonly { readonly value: string; readonly notes: string }[] {
  const enums = type.nodes.flatMap(({ source, type }) => (type["meta-type"] === "enum" ? [{ source, type }] : []));
  const among = new Set(enums.map(({ source }) => source));
  const values = [...new Set(enums.toReversed().flatMap(({ type }) => valuesOf(type)))];
  return values.map((value) => {
    const having = enums.filter(({ type }) => valuesOf(type).includes(value));
    const marked = having.map(({ source, type }): Marked => ({
      source,
      features: type.members?.find(({ name }) => name === value)?.features,
    }));
    return { value, notes: notes(merged.sources, marked, among) };
  });
}

/** Whether all sources have nothing at a place. */
export function isEmpty(place: Place): boolean {
  return place.every(({ type }) => isNothing(type));
}
