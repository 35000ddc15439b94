import { nearest } from "../../nearest.ts";
import { type Introspection, readIntrospection, type SchemaMember, type SchemaType, valuesOf } from "../../schema/introspection.ts";
import { misuse } from "../options.ts";

/** What a value may be. `of` names types of the same schema. */
export type Type =
  | { readonly kind: "string" | "integer" | "number" | "boolean" | "null" | "any" }
  | { readonly kind: "enum"; readonly values: readonly string[] }
  | { readonly kind: "array" | "alternate"; readonly of: readonly string[] }
  | ObjectOf;

/** An object, by its type's name. */
export interface ObjectOf {
  readonly kind: "object";
  readonly name: string;
}

/** One argument of a command, or one member of an object. */
export interface Member {
  readonly name: string;
  readonly type: Type;
  readonly optional: boolean;
  /** `deprecated`, `unstable`. */
  readonly features: readonly string[];
}

/** The text of an argument of the line, by its dotted key. It decides the branch of a union. */
export type Given = (key: string) => string | undefined;

const BUILTIN: Readonly<Record<string, Type["kind"] & ("string" | "integer" | "number" | "boolean" | "null")>> = {
  string: "string",
  int: "integer",
  number: "number",
  boolean: "boolean",
  null: "null",
};

/** QEMU's own description of its commands (`query-qmp-schema`), as far as typing and completion need it. */
export class Schema {
  readonly #all: Introspection;

  /** @param reply what `query-qmp-schema` returns */
  constructor(reply: Parameters<typeof readIntrospection>[0]) {
    this.#all = readIntrospection(reply);
  }

  get commands(): readonly string[] {
    return [...this.#all.commands.keys()].toSorted();
  }

  get events(): readonly string[] {
    return [...this.#all.events.keys()].toSorted();
  }

  has(kind: "command" | "event", name: string): boolean {
    return this.#entry(kind, name) !== undefined;
  }

  /** The command that was probably meant. */
  meant(command: string): string | undefined {
    return nearest(command, this.commands);
  }

  /** Checks the names of events, in upper or lower case. @throws UsageError when this QEMU has no such event */
  checkEvents(names: readonly string[]): void {
    for (const name of names) {
      if (this.has("event", name.toUpperCase())) continue;
      const meant = nearest(
        name,
        this.events.map((each) => each.toLowerCase()),
      )?.toUpperCase();
      throw misuse(
        `${name}: this QEMU has no such event, ${meant === undefined ? "so it would never come; without a name, all events are shown" : `did you mean ${meant}?`}`,
        name,
        meant ?? "an event of this QEMU",
      );
    }
  }

  /** What else QEMU says of a command or event: `deprecated`, `unstable`, and whether it may go out of band. */
  features(kind: "command" | "event", name: string): readonly string[] {
    const entry = this.#entry(kind, name);
    return [...(entry?.features ?? []), ...(entry?.["meta-type"] === "command" && entry["allow-oob"] === true ? ["out-of-band"] : [])];
  }

  /** The arguments of a command, or the data of an event: the fixed ones, and those of the branches that `given` chooses. */
  members(kind: "command" | "event", name: string, path: readonly string[] = [], given: Given = () => undefined): readonly Member[] {
    const type = this.#nameAt(this.#entry(kind, name)?.["arg-type"], path, given);
    return type === undefined ? [] : this.#membersOf(type, path, given);
  }

  /** The type of an argument, by its path. `undefined` if the schema does not know it. */
  typeAt(command: string, path: readonly string[], given: Given = () => undefined): Type | undefined {
    const name = this.#nameAt(this.#entry("command", command)?.["arg-type"], path, given);
    return name === undefined ? undefined : this.type(name);
  }

  /** What a command returns. */
  returns(command: string): Type | undefined {
    const name = this.#all.commands.get(command)?.["ret-type"];
    return name === undefined ? undefined : this.type(name);
  }

  /** The members of an object type. For a union: those outside its branches. */
  membersOf(type: ObjectOf): readonly Member[] {
    return this.#membersOf(type.name, [], () => undefined);
  }

  /** A type by its name in the schema. `any` if it is not described. */
  type(name: string): Type {
    const entry = this.#all.types.get(name);
    switch (entry?.["meta-type"]) {
      case "enum":
        return { kind: "enum", values: valuesOf(entry) };
      case "array":
        return { kind: "array", of: [entry["element-type"]] };
      case "alternate":
        return { kind: "alternate", of: entry.members.map((it) => it.type) };
      case "object":
        return { kind: "object", name };
      default:
        return { kind: BUILTIN[entry?.["json-type"] ?? ""] ?? "any" };
    }
  }

  #entry(kind: "command" | "event", name: string) {
    return kind === "command" ? this.#all.commands.get(name) : this.#all.events.get(name);
  }

  /** Follows a path from a type inwards. In an alternate, it follows the object. */
  #nameAt(start: string | undefined, path: readonly string[], given: Given): string | undefined {
    let name = start;
    for (const [depth, key] of path.entries()) {
      if (name === undefined) return undefined;
      const type = this.type(name);
      if (type.kind === "array" && /^\d+$/.test(key)) name = type.of[0];
      else name = this.#rawMembers(name, path.slice(0, depth), given).find((it) => it.name === key)?.type;
    }
    return name;
  }

  #membersOf(name: string, path: readonly string[], given: Given): readonly Member[] {
    return this.#rawMembers(name, path, given).map((it) => ({
      name: it.name,
      type: this.type(it.type),
      optional: "default" in it,
      features: it.features ?? [],
    }));
  }

  #rawMembers(name: string, path: readonly string[], given: Given): readonly SchemaMember[] {
    const entry: SchemaType | undefined = this.#all.types.get(name);
    if (entry?.["meta-type"] === "alternate") {
      const inner = entry.members.find((it) => this.type(it.type).kind === "object")?.type;
      return inner === undefined ? [] : this.#rawMembers(inner, path, given);
    }
    if (entry?.["meta-type"] !== "object") return [];
    const branch = entry.tag === undefined ? undefined : given([...path, entry.tag].join("."));
    const variant = branch === undefined ? undefined : entry.variants?.find((it) => it.case === branch)?.type;
    return [...entry.members, ...(variant === undefined ? [] : this.#rawMembers(variant, path, given))];
  }
}
