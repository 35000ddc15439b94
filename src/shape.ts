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

function one<T>(expected: string, fits: (value: unknown) => boolean): Shape<T> {
  return {
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
export const string: Shape<string> = one("string", (value) => typeof value === "string");
/** A number, and not NaN. */
export const number: Shape<number> = one("number", (value) => typeof value === "number" && !Number.isNaN(value));
/** True or false. */
export const boolean: Shape<boolean> = one("boolean", (value) => typeof value === "boolean");
/** Any value, or none. */
export const anything: Shape<unknown> = one("anything", () => true);

/** A shape with a condition more. */
export function where<T>(shape: Shape<T>, holds: (value: T) => boolean): Shape<T> {
  return {
    fits: (value): value is T => shape.fits(value) && holds(value),
    faults: (value, path) => (shape.fits(value) ? (holds(value) ? [] : [{ path, why: "invalid" }]) : shape.faults(value, path)),
  };
}

/** A whole number in a range, both ends in it. */
export function whole(least: number, most: number): Shape<number> {
  return where(number, (value) => Number.isInteger(value) && value >= least && value <= most);
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
  };
}

/** An object whose members all have one shape. */
export function record<T>(shape: Shape<T>): Shape<Readonly<Record<string, T>>> {
  return {
    fits: (value): value is Readonly<Record<string, T>> => isObject(value) && Object.values(value).every(shape.fits),
    faults: (value, path) =>
      isObject(value)
        ? Object.entries(value).flatMap(([name, each]) => (shape.fits(each) ? [] : shape.faults(each, [...path, name])))
        : noObject.faults(value, path),
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
  };
}

const noObject = one("object", () => false);
const noList = one("array", () => false);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
