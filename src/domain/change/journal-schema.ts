import { z } from "zod/v3";
import type { Caller } from "../machine/caller.ts";
import { type Change, kindOf, type Resource, RESOURCES } from "../resources/registry.ts";
import type { ActionRecord, Journal } from "./record.ts";

const value = z.union([z.number(), z.string(), z.null()]);
const member = { number: z.number(), text: z.string() };
/** Of each resource in the registry, its own members. */
const change = z
  .object({ resource: z.enum(RESOURCES as [Resource, ...Resource[]]) })
  .passthrough()
  .superRefine((found, context) => {
    const members: Readonly<Record<string, keyof typeof member>> = kindOf(found).members;
    const shape = z.object(Object.fromEntries(Object.entries(members).map(([name, type]) => [name, member[type]])));
    for (const issue of shape.safeParse(found).error?.issues ?? []) context.addIssue(issue);
  }) as unknown as z.ZodType<Change>;
const head = {
  writer: z.number(),
  started: z.number().nullable(),
  boot: z.string(),
  since: z.string(),
  of: z.object({ path: z.string(), id: z.string().nullable(), name: z.string() }).nullable(),
  machine: z.object({ pid: z.number(), started: z.number() }).nullable(),
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
  own: z.array(z.object({ tid: z.number(), affinity: z.string().nullable(), policy: z.string().nullable() })),
  config: z.object({ before: z.string(), after: z.string() }).nullable(),
});
const action = z.object({ ...head, action: z.enum(["start", "restart", "shutdown"]), paused: z.boolean() });
/** What a record has to look like to be believed. */
export const record: z.ZodType<Journal | ActionRecord, z.ZodTypeDef, unknown> = z.preprocess(fromEarlier, z.union([journal, action]));
