import { expect, test } from "vitest";
import { z } from "zod/v3";
import { quickCheck } from "../../src/schema/quick.ts";

const SCHEMAS: readonly z.ZodTypeAny[] = [
  z.string(),
  z.number(),
  z.boolean(),
  z.unknown(),
  z.array(z.number()),
  z.string().optional(),
  z.record(z.unknown()),
  z.object({ a: z.string(), b: z.number().optional(), c: z.object({ d: z.array(z.boolean()) }).passthrough() }).passthrough(),
  // Kinds that it does not know, or only half.
  z.object({ a: z.string() }).strict(),
  z.object({ a: z.string() }),
  z.object({ a: z.string().min(2) }),
  z.number().int(),
  z.record(z.number()),
  z.union([z.string(), z.number()]),
  z.null(),
  z.string().nullable(),
  z.literal("x"),
];

const VALUES: readonly unknown[] = [
  undefined,
  null,
  "",
  "x",
  "xy",
  0,
  1.5,
  NaN,
  Infinity,
  1n,
  true,
  [],
  [1],
  [1, "2"],
  [undefined],
  {},
  new Map(),
  { a: "x" },
  { a: "xy" },
  { a: 1 },
  { a: "x", c: { d: [] } },
  { a: "x", b: undefined, c: { d: [true] }, more: 1 },
  { a: "x", b: null, c: { d: [] } },
  { a: "x", c: { d: [1] } },
  { a: "x", c: [] },
];

test("a quick yes is never said to what the schema refuses", () => {
  for (const schema of SCHEMAS) {
    for (const value of VALUES) {
      if (!quickCheck(schema)(value)) continue;
      // Only plain JSON reaches a check; a Map is an object to us and none to zod.
      expect(value instanceof Map || schema.safeParse(value).success).toBe(true);
    }
  }
});

test("what replies are made of gets its quick yes", () => {
  const schema = z.array(z.object({ a: z.string(), b: z.number().optional(), c: z.record(z.unknown()), d: z.unknown() }).passthrough());
  expect(
    quickCheck(schema)([
      { a: "x", c: {}, more: 1 },
      { a: "", b: 2, c: { e: 1 }, d: 1n },
    ]),
  ).toBe(true);
});
