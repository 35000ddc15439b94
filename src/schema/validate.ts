import { nearest } from "../nearest.ts";
import { ArgumentError, type ArgumentIssue } from "./argument-error.ts";
import {
  type AlternateType,
  type CommandEntry,
  type EnumType,
  type Introspection,
  type ObjectType,
  readIntrospection,
  type SchemaMember,
  type SchemaType,
  typeNamed,
  valuesOf,
} from "./introspection.ts";
import { formatPath, guess, kindOf, KINDS, list, oneOf, type Path, show } from "./value-words.ts";

/**
 * What a QEMU with this schema would find wrong with a command's arguments; empty if nothing. The schema knows types, but not ranges, nor
 * what exists: QEMU may still refuse. Commands that take more than their schema says (`device_add`) may have any further members.
 */
export function checkArguments(schema: Introspection, command: string, parameters: unknown = {}): readonly ArgumentIssue[] {
  const entry = schema.commands.get(command);
  if (entry === undefined) return [unknownCommand(schema, command)];
  const type = typeNamed(schema, entry["arg-type"]);
  const checking: Checking = { schema, issues: [] };
  if (type["meta-type"] === "object") checkObject(checking, type, parameters, [], takesMore(entry, type));
  return checking.issues;
}

/**
 * The check for one QEMU, from its reply to `query-qmp-schema`. It returns an error if {@link checkArguments} finds anything.
 *
 * @throws QmpctlError (`protocol`) when the schema can't be read
 */
export function argumentCheck(
  reply: Parameters<typeof readIntrospection>[0],
): (command: string, parameters: object | undefined) => ArgumentError | undefined {
  const schema = readIntrospection(reply);
  return (command, parameters) => {
    const [first, ...others] = checkArguments(schema, command, parameters);
    return first === undefined ? undefined : new ArgumentError(command, [first, ...others]);
  };
}

interface Checking {
  readonly schema: Introspection;
  readonly issues: ArgumentIssue[];
}

/**
 * QEMU's `gen: false`: such arguments go on to the device (before 6.0 also to the object) as they are, and the schema does not know them.
 */
function takesMore(entry: CommandEntry, type: ObjectType): boolean {
  return entry.name === "device_add" || (entry.name === "object-add" && type.tag === undefined);
}

function unknownCommand(schema: Introspection, command: string): ArgumentIssue {
  const meant = nearest(command, [...schema.commands.keys()]);
  return { path: "", value: command, expected: meant ?? "a command of this QEMU", why: `this QEMU has no such command${guess(meant)}` };
}

function check(checking: Checking, type: SchemaType, given: unknown, path: Path): void {
  const value = asWritten(given);
  switch (type["meta-type"]) {
    case "builtin":
      if (!isOf(type["json-type"], value)) fault(checking, path, value, KINDS[type["json-type"]] ?? type["json-type"]);
      return;
    case "enum":
      return checkEnum(checking, type, value, path);
    case "array":
      if (!Array.isArray(value)) return fault(checking, path, value, "a list");
      return value.forEach((item, index) => check(checking, typeNamed(checking.schema, type["element-type"]), item, [...path, index]));
    case "alternate":
      return checkAlternate(checking, type, value, path);
    default:
      return checkObject(checking, type, value, path, false);
  }
}

/** A value as JSON writes it: objects with `toJSON` decide that themselves. */
function asWritten(value: unknown): unknown {
  const known = value as { toJSON?: unknown } | null;
  return typeof known === "object" && known !== null && typeof known.toJSON === "function" ? (known.toJSON as () => unknown)() : value;
}

function isOf(kind: string, value: unknown): boolean {
  switch (kind) {
    case "int":
      return typeof value === "bigint" || Number.isInteger(value);
    case "number":
      return typeof value === "bigint" || Number.isFinite(value);
    case "null":
      return value === null;
    case "string":
    case "boolean":
      return typeof value === kind;
    default:
      return true;
  }
}

function checkEnum(checking: Checking, type: EnumType, value: unknown, path: Path): void {
  const values = valuesOf(type);
  if (typeof value !== "string") return fault(checking, path, value, oneOf(values));
  if (values.includes(value)) return;
  const meant = nearest(value, values);
  checking.issues.push({
    path: formatPath(path),
    value,
    expected: meant ?? oneOf(values),
    why: `${show(value)} is not one of its values${meant === undefined ? `: ${oneOf(values)}` : guess(meant)}`,
  });
}

/** The branches of an alternate differ in their kind of JSON value, so at most one can be meant. */
function checkAlternate(checking: Checking, type: AlternateType, value: unknown, path: Path): void {
  const branches = type.members.map((branch) => typeNamed(checking.schema, branch.type));
  const meant = branches.find((branch) => couldBe(branch, value));
  if (meant !== undefined) return check(checking, meant, value, path);
  fault(checking, path, value, branches.map(kindOf).join(" or "));
}

function couldBe(branch: SchemaType, value: unknown): boolean {
  switch (branch["meta-type"]) {
    case "builtin":
      return isOf(branch["json-type"], value);
    case "enum":
      return typeof value === "string";
    case "array":
      return Array.isArray(value);
    default:
      return isObject(value);
  }
}

function checkObject(checking: Checking, type: ObjectType, value: unknown, path: Path, more: boolean): void {
  if (!isObject(value)) return fault(checking, path, value, "an object");
  // An object that contains itself ends here. Writing it as JSON fails later, and says so.
  if (path.length > DEEPEST) return;
  const { members, whole } = membersFor(checking.schema, type, value);
  for (const member of members) {
    const given = value[member.name];
    if (given !== undefined) check(checking, typeNamed(checking.schema, member.type), given, [...path, member.name]);
    else if (!("default" in member)) missing(checking, member, [...path, member.name]);
  }
  if (!whole || more) return;
  const names = members.map(({ name }) => name);
  for (const [name, given] of Object.entries(value)) {
    if (given !== undefined && !names.includes(name)) checking.issues.push(surplus(checking.schema, type, value, name, names, path));
  }
}

const DEEPEST = 1024;

/** The members that an object of this type has, given the values of its tags. Not `whole` if a tag is missing or has an unknown value. */
function membersFor(
  schema: Introspection,
  type: ObjectType,
  value: Readonly<Record<string, unknown>>,
): { members: readonly SchemaMember[]; whole: boolean } {
  if (type.tag === undefined) return { members: type.members, whole: true };
  const variant = type.variants?.find((it) => it.case === value[type.tag ?? ""]);
  const further = variant === undefined ? undefined : typeNamed(schema, variant.type);
  if (further?.["meta-type"] !== "object") return { members: type.members, whole: false };
  const inner = membersFor(schema, further, value);
  return { members: [...type.members, ...inner.members], whole: inner.whole };
}

function missing(checking: Checking, member: SchemaMember, path: Path): void {
  const expected = kindOf(typeNamed(checking.schema, member.type));
  checking.issues.push({ path: formatPath(path), value: undefined, expected, why: `missing: ${expected}` });
}

function surplus(
  schema: Introspection,
  type: ObjectType,
  value: Readonly<Record<string, unknown>>,
  name: string,
  names: readonly string[],
  path: Path,
): ArgumentIssue {
  const place = { path: formatPath([...path, name]), value: value[name] };
  const tag = type.tag ?? "";
  const others = (type.variants ?? []).filter((it) =>
    membersFor(schema, type, { ...value, [tag]: it.case }).members.some((member) => member.name === name),
  );
  if (others.length > 0) {
    const cases = oneOf(others.map((it) => it.case));
    return {
      ...place,
      expected: `${tag} to be ${cases}`,
      why: `no such member where ${tag} is ${show(value[tag])}, only where it is ${cases}`,
    };
  }
  const meant = nearest(name, names);
  const expected = meant ?? (names.length === 0 ? "nothing" : `one of ${list(names)}`);
  return { ...place, expected, why: `no such member${meant === undefined ? `: expected ${expected}` : guess(meant)}` };
}

function fault(checking: Checking, path: Path, value: unknown, expected: string): void {
  checking.issues.push({ path: formatPath(path), value, expected, why: `expected ${expected}, got ${show(value)}` });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
