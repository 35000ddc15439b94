import { z } from "zod/v3";
import { parseSize } from "../config/size.ts";
import { UsageError } from "../errors.ts";
import type { Change } from "./change.ts";
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

/** The changes that a wanted allocation asks for: what is so already is found out when they are planned. @throws UsageError */
export function changesOf(allocation: WantedAllocation): readonly Change[] {
  const read = wanted.safeParse(allocation);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new UsageError(`allocation: ${issue?.path.join(".") || "the whole"}: ${issue?.message}`, { value: allocation, expected: SHAPE });
  }
  const { memory, vcpus } = read.data;
  const changes: Change[] = [];
  if (memory?.max !== undefined) changes.push({ resource: "max-memory", size: parseSize(memory.max) });
  if (vcpus?.max !== undefined) changes.push({ resource: "max-vcpus", count: vcpus.max });
  if (memory?.current !== undefined) changes.push({ resource: "memory", size: parseSize(memory.current) });
  if (vcpus?.current !== undefined) changes.push({ resource: "vcpus", count: vcpus.current });
  for (const [vcpu, cpus] of Object.entries(vcpus?.pin ?? {})) changes.push({ resource: "vcpu-pin", vcpu: indexOf(vcpu), cpus: cpus ?? ALL });
  if (changes.length === 0) throw new UsageError("allocation: it asks for nothing", { value: allocation, expected: SHAPE });
  return changes;
}

function indexOf(key: string): number {
  if (/^\d{1,5}$/.test(key)) return Number(key);
  throw new UsageError(`allocation: vcpus.pin.${key}: not a vCPU's number`, { value: key, expected: "a vCPU's number, from 0" });
}

/** Reads a wanted allocation from the text of a file. @throws UsageError where it is no JSON */
export function readAllocation(text: string, path: string): WantedAllocation {
  try {
    return JSON.parse(text) as WantedAllocation;
  } catch (cause) {
    throw new UsageError(`${path}: not JSON: ${(cause as Error).message}`, { value: path, expected: SHAPE }, { cause });
  }
}
