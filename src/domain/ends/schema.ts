import { z } from "zod/v3";
import type { ProcessIdentity } from "../../host/signal.ts";
import type { ScheduledThread } from "../facts/live-thread.ts";
import type { Value } from "../model/change.ts";
import { type Change, kindOf, type Resource, RESOURCES } from "../resources/registry.ts";
import type { ChangeEnd, Ends } from "./change-end.ts";

const member = { number: z.number(), text: z.string() };

/** A change as a record has it: of each resource in the registry, its own members. */
export const change: z.ZodType<Change> = z
  .object({ resource: z.enum(RESOURCES as [Resource, ...Resource[]]) })
  .passthrough()
  .superRefine((found, context) => {
    const members: Readonly<Record<string, keyof typeof member>> = kindOf(found).members;
    const shape = z.object(Object.fromEntries(Object.entries(members).map(([name, type]) => [name, member[type]])));
    for (const issue of shape.safeParse(found).error?.issues ?? []) context.addIssue(issue);
  }) as unknown as z.ZodType<Change>;

/** A value as a record has it. */
export const value: z.ZodType<Value> = z.union([z.number(), z.string(), z.null()]);

/** A process as a record has it. */
export const identity: z.ZodType<ProcessIdentity> = z.object({ pid: z.number(), started: z.number() });

/** Threads of QEMU's own, and what they had. */
export const threads: z.ZodType<ScheduledThread[]> = z.array(
  z.object({ tid: z.number(), affinity: z.string().nullable(), policy: z.string().nullable() }),
);

const timer = z.union([
  z.object({ tool: z.literal("systemd"), unit: z.string(), user: z.boolean() }),
  z.object({ tool: z.literal("at"), job: z.string().regex(/^\d+$/), key: z.string() }),
]);

/** An end as it is kept. */
export const end: z.ZodType<ChangeEnd, z.ZodTypeDef, unknown> = z.object({
  key: z.string().regex(/^[0-9a-f]{12}$/),
  due: z.string(),
  since: z.string(),
  timer,
  force: z.boolean(),
  machine: identity,
  boot: z.string(),
  items: z.array(z.object({ change, before: value, back: value })),
  threads: z.array(change),
  own: threads,
  failure: z.object({ at: z.string(), why: z.string() }).optional(),
});

const last = z.object({
  due: z.string(),
  at: z.string(),
  outcome: z.enum(["planned", "unchanged", "applied", "pending", "rolled-back", "failed", "refused"]),
  notes: z.array(z.string()),
});

/** What is kept of a machine's ends. */
export const ends: z.ZodType<Ends, z.ZodTypeDef, unknown> = z.object({ ends: z.array(end), last: last.nullable() });
