import { JsonTextError, parseJson, valueOf } from "../../config/json.ts";
import { UsageError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { KINDS, MAXIMA_FIRST } from "./kinds.ts";
import { type Change, kindOf, type WantedAllocation } from "./registry.ts";

type Values = Readonly<Record<string, unknown>>;

/** The parts of a file, in the order of the changes that they ask for. */
const PARTS = MAXIMA_FIRST.map(({ inFile }) => inFile);

/** The groups of a file, as `memory`, in the order of tables. */
const GROUPS: readonly string[] = [...new Set(KINDS.map(({ inFile }) => inFile.path[0]))];

function partsOf(group: string): typeof PARTS {
  return PARTS.filter(({ path }) => path[0] === group);
}

/** What a group of a file may hold, in one line. */
function shapeOf(group: string): string {
  const keys = partsOf(group).map(({ path, shape }) => `"${path[1]}": ${shape}`);
  return `"${group}": {${keys.join(", ")}}`;
}

const WHOLE = `an object with one or more of ${GROUPS.join(", ")}`;

/** One value that a file may hold. */
export interface FileKey {
  /** `memory.current`. */
  readonly place: string;
  /** Its form: `SIZE`. */
  readonly shape: string;
  /** One such value, as JSON. */
  readonly example: string;
  /** The verb that changes the same. */
  readonly verb: string;
}

/** Every value that a file may hold, in the order of tables. */
export function fileKeys(): readonly FileKey[] {
  return GROUPS.flatMap((group) =>
    partsOf(group).map((part): FileKey => {
      const [example] = part.changes(JSON.parse(part.example), "", () => undefined);
      const command = example === undefined ? "" : (kindOf(example).command(example as never, "web1") ?? "");
      return { place: part.path.join("."), shape: part.shape, example: part.example, verb: command.split(" ")[0] ?? "" };
    }),
  );
}

/**
 * The changes that a wanted allocation asks for: what is so already is found out when they are planned.
 *
 * @throws UsageError for what is no allocation, with everything that is wrong in it, or for a value that is none
 */
export function changesOf(allocation: WantedAllocation): readonly Change[] {
  const wrong = shapeFaults(allocation);
  const found = new Map(PARTS.map((part) => [part, [] as readonly Change[]]));
  for (const group of GROUPS) {
    const values = (allocation as Values | null)?.[group];
    if (!isObject(values)) continue;
    const keys = partsOf(group);
    for (const part of keys) {
      const value = values[part.path[1]];
      if (value !== undefined)
        found.set(
          part,
          part.changes(value, part.path.join("."), (...what) => wrong.push(fault(...what))),
        );
    }
    wrong.push(
      ...unknownKeys(
        values,
        group,
        keys.map(({ path }) => path[1]),
      ),
    );
  }
  if (wrong.length > 0) throw new UsageError(`allocation: ${wrong.join("; ")}`, { value: allocation, expected: expectedOf(allocation) });
  const asked = PARTS.flatMap((part) => found.get(part) ?? []);
  const covering = asked.filter((change) => kindOf(change).covers !== undefined);
  const changes = asked.filter((change) => !covering.some((other) => kindOf(other).covers?.(other, change) === true));
  if (changes.length === 0) throw new UsageError("allocation: it asks for nothing", { value: allocation, expected: WHOLE });
  return changes;
}

function isObject(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What is wrong with the whole, and with its groups. */
function shapeFaults(allocation: unknown): string[] {
  if (!isObject(allocation)) return [fault("the whole", allocation, "an object")];
  const groups = GROUPS.filter((group) => allocation[group] !== undefined && !isObject(allocation[group])).map((group) => {
    const part = partsOf(group).findLast(({ path }) => path[1] === "current") ?? partsOf(group)[0];
    return fault(group, allocation[group], `an object, as {"${part?.path[1]}": ${part?.example}}`);
  });
  return [...groups, ...unknownKeys(allocation, "", [...GROUPS, "$schema"])];
}

/** The form of the groups that have unknown keys, else of those that are there: no more than that. */
function expectedOf(allocation: unknown): string {
  if (!isObject(allocation) || unknownKeys(allocation, "", [...GROUPS, "$schema"]).length > 0) return WHOLE;
  const given = GROUPS.filter((group) => allocation[group] !== undefined);
  const wrong = given.filter((group) => {
    const values = allocation[group];
    const keys = partsOf(group).map(({ path }) => path[1]);
    return isObject(values) && Object.keys(values).some((key) => !keys.includes(key));
  });
  return `{${(wrong.length === 0 ? given : wrong).map(shapeOf).join(", ")}}`;
}

/** One thing that is wrong: where, what stands there, and what would be right. */
function fault(place: string, value: unknown, expected: string): string {
  return `${place} is ${JSON.stringify(value)?.slice(0, 60) ?? "absent"}, not ${expected}`;
}

function unknownKeys(values: Values, group: string, known: readonly string[]): readonly string[] {
  return Object.keys(values)
    .filter((key) => !known.includes(key))
    .map((key) => {
      const meant = nearest(key, known);
      const guess = meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`;
      return `${JSON.stringify(key.slice(0, 60))}${group === "" ? "" : ` of ${group}`}: no such key${guess}`;
    });
}

/** Reads a wanted allocation from the text of a file. @throws UsageError where it is no JSON, or has a key twice */
export function readAllocation(text: string, path: string): WantedAllocation {
  try {
    return valueOf(parseJson(text)) as WantedAllocation;
  } catch (cause) {
    if (!(cause instanceof JsonTextError)) throw cause;
    throw new UsageError(`${path}: ${cause.message}`, { value: path, expected: WHOLE }, { cause });
  }
}
