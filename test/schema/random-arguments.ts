import type { Random } from "../../scripts/lab/random.ts";
import {
  type Introspection,
  type ObjectType,
  type SchemaMember,
  type SchemaType,
  typeNamed,
  valuesOf,
} from "../../src/schema/introspection.ts";

type Members = Record<string, unknown>;

/** Any arguments that a command's schema allows. Texts name nothing that is there. */
export function rightArguments(schema: Introspection, command: string, random: Random): Members {
  const type = typeNamed(schema, schema.commands.get(command)?.["arg-type"] ?? "");
  return valueOf(schema, type, random, 0) as Members;
}

/** How deep values become on purpose; what has to be there goes deeper. */
const DEEP = 4;

function valueOf(schema: Introspection, type: SchemaType, random: Random, depth: number): unknown {
  const named = (name: string): unknown => valueOf(schema, typeNamed(schema, name), random, depth + 1);
  switch (type["meta-type"]) {
    case "builtin":
      return scalar(type["json-type"], random);
    case "enum":
      return random.pick(valuesOf(type));
    case "array":
      return Array.from({ length: depth < DEEP ? random.below(3) : 0 }, () => named(type["element-type"]));
    case "alternate": {
      const branches = type.members.map((branch) => typeNamed(schema, branch.type));
      const flat = branches.filter((branch) => branch["meta-type"] !== "object");
      return valueOf(schema, random.pick(depth < DEEP || flat.length === 0 ? branches : flat), random, depth + 1);
    }
    default:
      return objectOf(schema, type, random, depth, {});
  }
}

function objectOf(schema: Introspection, type: ObjectType, random: Random, depth: number, object: Members): Members {
  for (const member of type.members) {
    if ("default" in member && (depth >= DEEP || random.below(3) > 0)) continue;
    object[member.name] = valueOf(schema, typeNamed(schema, member.type), random, depth + 1);
  }
  const variant = type.variants?.find((it) => it.case === object[type.tag ?? ""]);
  if (variant !== undefined) objectOf(schema, typeNamed(schema, variant.type) as ObjectType, random, depth, object);
  return object;
}

function scalar(kind: string, random: Random): unknown {
  switch (kind) {
    case "string":
      return `/nowhere/${random.below(1000)}`;
    case "int":
      return random.pick([0, 1, 7, 4096, 2 ** 40]);
    case "number":
      return random.pick([0, 1.5, -3]);
    case "boolean":
      return random.below(2) === 0;
    case "null":
      return null;
    default:
      return random.pick<unknown>([null, 1, "x", [], {}]);
  }
}

/** One way to spoil right arguments, or undefined where this one can't be spoilt: the mistake, in words, and the arguments with it. */
export function spoil(
  schema: Introspection,
  command: string,
  right: Members,
  random: Random,
): { readonly mistake: string; readonly wrong: Members } | undefined {
  const type = typeNamed(schema, schema.commands.get(command)?.["arg-type"] ?? "") as ObjectType;
  const members = type.members.filter(({ name }) => name in right);
  const wrong = structuredClone(right);
  const needed = members.filter((member) => !("default" in member));
  const typed = members.filter((member) => isStrict(schema, member));
  const how = random.below(3);
  if (how === 0 && needed.length > 0) {
    const { name } = random.pick(needed);
    delete wrong[name];
    return { mistake: `without ${name}`, wrong };
  }
  if (how === 1 && typed.length > 0) {
    const { name, type: given } = random.pick(typed);
    wrong[name] = typeNamed(schema, given)["meta-type"] === "array" ? { a: 1 } : [["a"]];
    return { mistake: `${name} of another type`, wrong };
  }
  if (command === "device_add" || (command === "object-add" && type.tag === undefined)) return undefined;
  wrong["no-such-member"] = 1;
  return { mistake: "one more member", wrong };
}

/** Whether a list or an object in a list is a mistake there. */
function isStrict(schema: Introspection, member: SchemaMember): boolean {
  const type = typeNamed(schema, member.type);
  if (type["meta-type"] === "alternate") return false;
  return type["meta-type"] !== "builtin" || type["json-type"] !== "value";
}
