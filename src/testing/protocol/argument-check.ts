import {
  type Introspection,
  type ObjectType,
  type SchemaMember,
  type SchemaType,
  typeNamed,
  valuesOf,
} from "../../schema/introspection.ts";
import { isNumber, isObject, type Json, type JsonObject } from "../json/json-value.ts";
import { noSuchValue } from "./request.ts";

/** Where a value is: its whole path, and its name at its own level. QEMU's messages use one or the other. */
interface Place {
  readonly path: string;
  readonly name: string;
}

/** A fault, in QEMU's words. */
class Mistake extends Error {}

/** Commands that accept any members: they are passed on as they are, and the command itself checks them. */
const OPEN: readonly string[] = ["device_add", "object-add"];

/**
 * What QEMU answers to arguments that do not fit its schema; undefined if it would run the command. Checked in QEMU's order: members as
 * they are declared, then those that are too many. The schema does not tell the width of an integer or the name of an alternate, so numbers
 * out of range are accepted. `major` is QEMU's version: 5.2 words a wrong value in another way. Measured on 5.2 to 11.1.
 */
export function mistakeIn(schema: Introspection, major: number, command: string, args: JsonObject): string | undefined {
  const type = typeNamed(schema, schema.commands.get(command)?.["arg-type"] ?? "");
  if (type["meta-type"] !== "object") return undefined;
  const checker = new Checker(schema, major);
  try {
    if (OPEN.includes(command)) checker.present(type, args);
    else checker.members(type, args, "");
    return undefined;
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return error.message;
  }
}

class Checker {
  readonly #schema: Introspection;
  readonly #major: number;

  constructor(schema: Introspection, major: number) {
    this.#schema = schema;
    this.#major = major;
  }

  /** Checks all members of an object. `path` is the object's own, empty for the arguments themselves. */
  members(type: ObjectType, value: JsonObject, path: string): void {
    const known = new Set<string>();
    const open = this.#visit(type, value, path, known);
    const stranger = [...value.keys()].find((key) => !known.has(key));
    if (stranger !== undefined && !open) throw new Mistake(`Parameter '${join(path, stranger)}' is unexpected`);
  }

  /** Checks only that nothing is missing. */
  present(type: ObjectType, value: JsonObject): void {
    const missing = type.members.find((it) => !isOptional(it) && !value.has(it.name));
    if (missing !== undefined) throw new Mistake(`Parameter '${missing.name}' is missing`);
  }

  /** Whether members beyond the known ones are allowed: in a union whose tag was left out. */
  #visit(type: ObjectType, value: JsonObject, path: string, known: Set<string>): boolean {
    for (const member of type.members) {
      known.add(member.name);
      const place = { path: join(path, member.name), name: member.name };
      const given = value.get(member.name);
      if (given !== undefined) this.#value(typeNamed(this.#schema, member.type), given, place);
      else if (!isOptional(member)) throw new Mistake(`Parameter '${place.path}' is missing`);
    }
    if (type.tag === undefined) return false;
    const tag = value.get(type.tag);
    const variant = type.variants?.find((it) => it.case === tag);
    const branch = variant === undefined ? undefined : typeNamed(this.#schema, variant.type);
    if (branch?.["meta-type"] === "object") return this.#visit(branch, value, path, known);
    return tag === undefined;
  }

  #value(type: SchemaType, value: Json, place: Place): void {
    switch (type["meta-type"]) {
      case "builtin":
        return expect(place, type["json-type"], isA(type["json-type"], value));
      case "enum":
        if (typeof value !== "string") return expect(place, "string", false);
        if (valuesOf(type).includes(value)) return;
        throw new Mistake(noSuchValue(place.name, value, this.#major));
      case "array":
        if (!Array.isArray(value)) return expect(place, "array", false);
        for (const [index, item] of value.entries())
          this.#value(typeNamed(this.#schema, type["element-type"]), item as Json, { path: `${place.path}[${index}]`, name: "null" });
        return;
      case "object":
        return isObject(value) ? this.members(type, value, place.path) : expect(place, "object", false);
      case "alternate":
        return this.#alternate(
          type.members.map((it) => typeNamed(this.#schema, it.type)),
          value,
          place,
        );
    }
  }

  #alternate(branches: readonly SchemaType[], value: Json, place: Place): void {
    const branch = branches.find((it) => this.#suits(it, value));
    if (branch === undefined) return expect(place, "one of several", false);
    this.#value(branch, value, place);
  }

  /** Whether a value can be this branch of an alternate: branches differ in their kind of JSON value. */
  #suits(type: SchemaType, value: Json): boolean {
    if (type["meta-type"] === "builtin") return isA(type["json-type"], value);
    if (type["meta-type"] === "enum") return typeof value === "string";
    return type["meta-type"] === "array" ? Array.isArray(value) : isObject(value);
  }
}

function isOptional(member: SchemaMember): boolean {
  return "default" in member;
}

function isA(jsonType: string, value: Json): boolean {
  switch (jsonType) {
    case "int":
      return isNumber(value) && value.real !== true;
    case "number":
      return isNumber(value);
    case "null":
      return value === null;
    case "string":
    case "boolean":
      return typeof value === jsonType;
    default:
      return true;
  }
}

/** QEMU's names for kinds of JSON values. */
const KINDS: Readonly<Record<string, string>> = { int: "integer" };

function expect(place: Place, kind: string, right: boolean): void {
  if (!right) throw new Mistake(`Invalid parameter type for '${place.path}', expected: ${KINDS[kind] ?? kind}`);
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
