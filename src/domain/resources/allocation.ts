import { z } from "zod/v3";
import { JsonTextError, parseJson, valueOf } from "../../config/json.ts";
import { parseSize } from "../../config/size.ts";
import { UsageError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import type { Change } from "./registry.ts";
import { ALL } from "./vcpu-pin.ts";

/** A wanted allocation, as much of it as is to be changed. Sizes have a unit (`1GiB`); a pin of null means all CPUs. */
export interface WantedAllocation {
  readonly memory?: { readonly max?: string | undefined; readonly current?: string | undefined } | undefined;
  readonly vcpus?:
    | {
        readonly max?: number | undefined;
        readonly current?: number | undefined;
        readonly pin?: Readonly<Record<string, string | null>> | undefined;
      }
    | undefined;
}

const wanted: z.ZodType<WantedAllocation> = z
  .object({
    memory: z.object({ max: z.string().optional(), current: z.string().optional() }).strict().optional(),
    vcpus: z
      .object({ max: z.number().optional(), current: z.number().optional(), pin: z.record(z.string().nullable()).optional() })
      .strict()
      .optional(),
  })
  .strict();

const SHAPE = '{"memory": {"max": SIZE, "current": SIZE}, "vcpus": {"max": N, "current": N, "pin": {"VCPU": CPULIST}}}, each key optional';

/** As many as a machine can have room for. */
const MOST_VCPUS = 4096;

/** The changes that a wanted allocation asks for: what is so already is found out when they are planned. @throws UsageError */
export function changesOf(allocation: WantedAllocation): readonly Change[] {
  const read = wanted.safeParse(allocation);
  if (!read.success)
    throw new UsageError(`allocation: ${read.error.issues.map((issue) => describe(issue, allocation)).join("; ")}`, {
      value: allocation,
      expected: SHAPE,
    });
  const { memory, vcpus } = read.data;
  const changes: Change[] = [];
  if (memory?.max !== undefined) changes.push({ resource: "max-memory", size: sizeAt("memory.max", memory.max) });
  if (vcpus?.max !== undefined) changes.push({ resource: "max-vcpus", count: vcpus.max });
  if (memory?.current !== undefined) changes.push({ resource: "memory", size: sizeAt("memory.current", memory.current) });
  if (vcpus?.current !== undefined) changes.push({ resource: "vcpus", count: vcpus.current });
  // As it was given: what reads it drops a key that can't be meant, and that is to be told.
  for (const [vcpu, cpus] of Object.entries(allocation.vcpus?.pin ?? {}))
    changes.push({ resource: "vcpu-pin", vcpu: indexOf(vcpu), cpus: cpus ?? ALL });
  if (changes.length === 0) throw new UsageError("allocation: it asks for nothing", { value: allocation, expected: SHAPE });
  return changes;
}

function sizeAt(place: string, text: string): number {
  try {
    return parseSize(text);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`allocation: ${place}: ${cause.message}`, { value: text, expected: cause.expected }, { cause });
  }
}

/** What may stand at each place, by its path without the vCPU's number. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  "": ["memory", "vcpus"],
  memory: ["max", "current"],
  vcpus: ["max", "current", "pin"],
};
const VALUES: Readonly<Record<string, string>> = {
  "": "an object",
  memory: 'an object, as {"current": "512M"}',
  vcpus: 'an object, as {"current": 2}',
  "vcpus.pin": 'an object, as {"0": "0-3"}',
};

/** One thing that is wrong: where, what stands there, and what would be right. */
function describe(issue: z.ZodIssue, allocation: unknown): string {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    return issue.keys
      .map((key) => {
        const meant = nearest(key, KEYS[path] ?? []);
        return `${JSON.stringify(key.slice(0, 60))}${path === "" ? "" : ` of ${path}`}: no such key${meant === undefined ? "" : `, did you mean ${JSON.stringify(meant)}?`}`;
      })
      .join("; ");
  }
  const value = issue.path.reduce<unknown>((from, key) => (from as Readonly<Record<string, unknown>> | undefined)?.[key], allocation);
  const right =
    VALUES[path] ??
    (path.startsWith("memory.")
      ? 'a text with a unit, as "512M"'
      : path.startsWith("vcpus.pin.")
        ? 'a text, as "0-3", or null'
        : "a number");
  return `${path === "" ? "the whole" : path} is ${JSON.stringify(value)?.slice(0, 60) ?? "absent"}, not ${right}`;
}

function indexOf(key: string): number {
  if (/^(0|[1-9]\d{0,3})$/.test(key) && Number(key) < MOST_VCPUS) return Number(key);
  throw new UsageError(`allocation: vcpus.pin.${key.slice(0, 60)}: not a vCPU's number`, {
    value: key,
    expected: `a vCPU's number, from 0 to ${MOST_VCPUS - 1}`,
  });
}

/** Reads a wanted allocation from the text of a file. @throws UsageError where it is no JSON, or has a key twice */
export function readAllocation(text: string, path: string): WantedAllocation {
  try {
    return valueOf(parseJson(text)) as WantedAllocation;
  } catch (cause) {
    if (!(cause instanceof JsonTextError)) throw cause;
    throw new UsageError(`${path}: ${cause.message}`, { value: path, expected: SHAPE }, { cause });
  }
}
