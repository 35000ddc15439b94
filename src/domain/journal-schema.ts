import { z } from "zod/v3";
import type { Change } from "./change.ts";
import type { Journal } from "./journal.ts";

const value = z.union([z.number(), z.string(), z.null()]);
const change: z.ZodType<Change> = z.union([
  z.object({ resource: z.enum(["memory", "max-memory"]), size: z.number() }),
  z.object({ resource: z.enum(["vcpus", "max-vcpus"]), count: z.number() }),
  z.object({ resource: z.literal("vcpu-pin"), vcpu: z.number(), cpus: z.string() }),
]) as z.ZodType<Change>;
/** What a record has to look like to be believed. */
export const journal: z.ZodType<Journal> = z.object({
  writer: z.number(),
  started: z.number().nullable(),
  since: z.string(),
  scope: z.enum(["current", "static", "dynamic", "both"]),
  changes: z.array(z.object({ change, config: value, live: value, back: value })),
  machine: z.object({ pid: z.number(), started: z.number() }).nullable(),
  masks: z.record(z.string()),
  config: z.object({ before: z.string(), after: z.string() }).nullable(),
});
