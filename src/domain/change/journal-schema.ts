import { z } from "zod/v3";
import { change, end, identity, threads, value } from "../ends/schema.ts";
import type { Caller } from "../machine/caller.ts";
import type { ActionRecord, Journal } from "./record.ts";

const head = {
  writer: z.number(),
  started: z.number().nullable(),
  boot: z.string(),
  since: z.string(),
  of: z.object({ path: z.string(), id: z.string().nullable(), name: z.string() }).nullable(),
  machine: identity.nullable(),
};
/** A record that the version before this one wrote: of all threads, it kept the masks of vCPUs alone. */
function fromEarlier(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("masks" in value)) return value;
  const { masks, ...rest } = value as { readonly masks: unknown };
  const threads = Object.entries(masks ?? {}).map(([vcpu, cpus]) => ({ resource: "vcpu-pin", vcpu: Number(vcpu), cpus: cpus as unknown }));
  return { threads, brings: [], own: [], ...rest };
}

const who = z.object({
  uid: z.number(),
  user: z.string().nullable(),
  isRoot: z.literal(true).optional(),
  sudo: z.string().optional(),
  from: z.string().optional(),
  program: z.array(z.string()),
  pid: z.number(),
}) as unknown as z.ZodType<Caller>;
const journal = z.object({
  ...head,
  key: z.string().optional(),
  who: who.optional(),
  scope: z.enum(["current", "static", "dynamic", "both"]),
  changes: z.array(z.object({ change, config: value, live: value, back: value, configBack: value.optional() })),
  threads: z.array(change),
  brings: z.array(z.union([z.number(), z.string()])),
  own: threads,
  config: z.object({ before: z.string(), after: z.string() }).nullable(),
  end: end.optional(),
});
const action = z.object({ ...head, action: z.enum(["start", "restart", "shutdown"]), paused: z.boolean() });
/** What a record has to look like to be believed. */
export const record: z.ZodType<Journal | ActionRecord, z.ZodTypeDef, unknown> = z.preprocess(fromEarlier, z.union([journal, action]));
