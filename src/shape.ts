/** Where in a value: the keys that lead there. */
type Path = readonly (string | number)[];

/** One thing in a value that is not as its shape says. */
export interface Fault {
  readonly path: Path;
  readonly why: string;
}

/**
 * What a value has to look like. Values are nearly always right, so the yes is quick, and what is wrong is looked for after a no.
 * Made of functions alone: to load a library of schemas would take longer than most commands do.
 */
export interface Shape<T> {
  readonly fits: (value: unknown) => value is T;
  /** Everything that is wrong, in the order of the shape. Only for a value that does not fit. */
  readonly faults: (value: unknown, path: Path) => readonly Fault[];
  /** Of an object with known members: these, by name. */
  readonly members?: Readonly<Record<string, Shape<unknown>>>;
  readonly isOptional?: true;
  /** The same for other programs, as far as a JSON Schema can say it: what fits is valid there. */
  readonly schema: () => JsonSchema;
}

/** A JSON Schema (json-schema.org, draft 7), as much of it as shapes need. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | false;
  readonly propertyNames?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly description?: string;
}

/** What a shape lets through. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

/** A value that is not as its shape says, as the cause of an error that tells the first of it. */
export class ShapeError extends Error {
  readonly issues: readonly Fault[];

  constructor(issues: readonly [Fault, ...Fault[]]) {
    super(tell(issues[0]));
    this.issues = issues;
  }
}

function tell({ path, why }: Fault): string {
  return path.length === 0 ? why : `${path.join(".")}: ${why}`;
}

/** How much of a list is looked through at a time: of a long one, there may be millions of faults. */
const SOME = 1000;

/** What is wrong with a value; undefined when it fits. */
export function faultOf(shape: Shape<unknown>, value: unknown): ShapeError | undefined {
  const isRight: boolean = shape.fits(value);
  if (isRight) return undefined;
  if (!Array.isArray(value)) return errorOf(shape.faults(value, []));
  for (let from = 0; from < value.length; from += SOME) {
    const found = shape.faults(value.slice(from, from + SOME), []);
    if (found.length > 0) return errorOf(found.map((fault) => behind(fault, from)));
  }
  return errorOf(shape.faults(value, []));
}

/** A fault of a part of a list, with its place in the whole. */
function behind({ path: [at, ...rest], why }: Fault, from: number): Fault {
  return { path: typeof at === "number" ? [at + from, ...rest] : [], why };
}

function errorOf([first, ...others]: readonly Fault[]): ShapeError {
  return new ShapeError([first ?? { path: [], why: "invalid" }, ...others]);
}

function one<T>(expected: string, schema: JsonSchema, fits: (value: unknown) => boolean): Shape<T> {
  return {
    schema: () => schema,
    fits: fits as Shape<T>["fits"],
    faults: (value, path) => [{ path, why: `expected ${expected}, received ${kindOf(value)}` }],
  };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isNaN(value) ? "nan" : typeof value;
}

/** A text. */
export const string: Shape<string> = one("string", { type: "string" }, (value) => typeof value === "string");
/** A number, and not NaN. */
export const number: Shape<number> = one("number", { type: "number" }, (value) => typeof value === "number" && !Number.isNaN(value));
/** True or false. */
export const boolean: Shape<boolean> = one("boolean", { type: "boolean" }, (value) => typeof value === "boolean");
/** Any value, or none. */
export const anything: Shape<unknown> = one("anything", {}, () => true);

/** A shape with a condition more. `schema`: as much of the condition as a JSON Schema can say. */
export function where<T>(shape: Shape<T>, holds: (value: T) => boolean, schema: JsonSchema = {}): Shape<T> {
  return {
    schema: () => ({ ...shape.schema(), ...schema }),
    fits: (value): value is T => shape.fits(value) && holds(value),
    faults: (value, path) => (shape.fits(value) ? (holds(value) ? [] : [{ path, why: "invalid" }]) : shape.faults(value, path)),
  };
}

/** A whole number in a range, both ends in it. */
export function whole(least: number, most: number): Shape<number> {
  const isOne = (value: number): boolean => Number.isInteger(value) && value >= least && value <= most;
  return where(number, isOne, { type: "integer", minimum: least, maximum: most });
}

/** A member that may be absent, or undefined. */
export function optional<T>(shape: Shape<T>): Shape<T | undefined> & { readonly isOptional: true } {
  return {
    ...shape,
    fits: (value): value is T | undefined => value === undefined || shape.fits(value),
    faults: (value, path) => (value === undefined ? [] : shape.faults(value, path)),
    isOptional: true,
  };
}

/** One of some words, each of which stands in `all`: the compiler sees that none is missing. */
export function words<W extends string>(all: Readonly<Record<W, true>>): Shape<W> {
  const known = Object.keys(all);
  return one(known.join(", "), { enum: known }, (value) => typeof value === "string" && Object.hasOwn(all, value));
}

/** A value, or null. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    fits: (value): value is T | null => value === null || shape.fits(value),
    faults: (value, path) => (value === null ? [] : shape.faults(value, path)),
    schema: () => ({ anyOf: [shape.schema(), { type: "null" }] }),
  };
}

/** A value of one shape or of another. */
export function either<A, B>(one: Shape<A>, other: Shape<B>): Shape<A | B> {
  return {
    fits: (value): value is A | B => one.fits(value) || other.fits(value),
    faults: (value, path) => one.faults(value, path),
    schema: () => ({ anyOf: [one.schema(), other.schema()] }),
  };
}

/** The shapes of an interface's members: each that it has, and those optional that are so there. */
type MembersOf<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Shape<T[K] | undefined> & { readonly isOptional: true } : Shape<T[K]>;
};

/** An object of an interface. The compiler sees that no member is missing, and none is of another kind. */
export function like<T>(members: MembersOf<T>): Shape<T> {
  return object(members as Readonly<Record<string, Shape<unknown>>>) as unknown as Shape<T>;
}

type OptionalKeys<M> = { [K in keyof M]: M[K] extends { readonly isOptional: true } ? K : never }[keyof M];

/** What an object with these members is. */
export type Membered<M> = { readonly [K in Exclude<keyof M, OptionalKeys<M>>]: Shaped<M[K]> } & {
  readonly [K in OptionalKeys<M>]?: Shaped<M[K]>;
};

/** An object with at least these members. */
export function object<const M extends Readonly<Record<string, Shape<unknown>>>>(members: M): Shape<Membered<M>> {
  const all = Object.entries(members);
  return {
    fits: (value): value is Membered<M> => isObject(value) && all.every(([name, shape]) => shape.fits(value[name])),
    faults: (value, path) =>
      isObject(value)
        ? all.flatMap(([name, shape]) => (shape.fits(value[name]) ? [] : shape.faults(value[name], [...path, name])))
        : noObject.faults(value, path),
    members,
    schema: () => schemaOf(all),
  };
}

function schemaOf(all: readonly (readonly [string, Shape<unknown>])[]): JsonSchema {
  const required = all.filter(([, { isOptional }]) => isOptional !== true).map(([name]) => name);
  const properties = Object.fromEntries(all.map(([name, { schema }]) => [name, schema()]));
  return { type: "object", properties, ...(required.length === 0 ? {} : { required }) };
}

/** An object whose members all have one shape. */
export function record<T>(shape: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return {
    fits: (value): value is Readonly<Record<string, T>> => isObject(value) && Object.values(value).every(shape.fits),
    faults: (value, path) =>
      isObject(value)
        ? Object.entries(value).flatMap(([name, each]) => (shape.fits(each) ? [] : shape.faults(each, [...path, name])))
        : noObject.faults(value, path),
    schema: () => ({ type: "object", additionalProperties: shape.schema() }),
  };
}

/** A list whose members all have one shape. */
export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return {
    fits: (value): value is readonly T[] => Array.isArray(value) && value.every(shape.fits),
    faults: (value, path) =>
      Array.isArray(value)
        ? value.flatMap((each, at) => (shape.fits(each) ? [] : shape.faults(each, [...path, at])))
        : noList.faults(value, path),
    schema: () => ({ type: "array", items: shape.schema() }),
  };
}

const noObject = one("object", { type: "object" }, () => false);
const noList = one("array", { type: "array" }, () => false);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
