import { expect, test } from "vitest";
import { z } from "zod/v3";
import { anything, boolean, faultOf, list, number, object, optional, record, type Shape, string, where, whole } from "../src/shape.ts";

/** Shapes, and what a library of schemas makes of the same. */
const PAIRS: readonly (readonly [Shape<unknown>, z.ZodTypeAny])[] = [
  [string, z.string()],
  [number, z.number()],
  [boolean, z.boolean()],
  [anything, z.unknown()],
  [list(number), z.array(z.number())],
  [optional(string), z.string().optional()],
  [record(anything), z.record(z.unknown())],
  [record(number), z.record(z.number())],
  [whole(0, 2), z.number().int().min(0).max(2)],
  [where(string, (text) => text.length > 1), z.string().min(2)],
  [
    object({ a: string, b: optional(number), c: object({ d: list(boolean) }) }),
    z.object({ a: z.string(), b: z.number().optional(), c: z.object({ d: z.array(z.boolean()) }).passthrough() }).passthrough(),
  ],
];

const VALUES: readonly unknown[] = [
  ...[undefined, null, "", "x", "xy", 0, 1.5, 3, NaN, Infinity, 1n, true, [], [1], [1, "2"], [undefined], [NaN, "x"], {}],
  ...[{ a: "x" }, { a: 1, b: "x" }, { a: "x", c: { d: [] } }, { a: "x", b: undefined, c: { d: [true] }, more: 1 }],
  ...[{ a: "x", b: null, c: { d: [] } }, { a: "x", c: { d: [1, true, 2] } }, { a: "x", c: [] }, { 1: 2 }],
];

test("a shape lets through what a schema does, and finds the same faults in the same places", () => {
  for (const [shape, schema] of PAIRS) {
    for (const value of VALUES) {
      const wanted = schema.safeParse(value).error?.issues;
      const fault = faultOf(shape, value);
      const places = (found: readonly { readonly path: unknown }[] | undefined) =>
        found && [...new Set(found.map(({ path }) => JSON.stringify(path)))];
      expect(places(fault?.issues)).toEqual(places(wanted));
      fault?.issues.forEach(({ why }, at) => {
        const issue = wanted?.[at];
        if (issue?.code === "invalid_type" && issue.expected !== "integer")
          expect(why).toBe(`expected ${issue.expected}, received ${issue.received}`);
      });
    }
  }
});

test("a fault is told with its place", () => {
  expect(faultOf(object({ a: list(string) }), { a: ["x", 1] })?.message).toBe("a.1: expected string, received number");
  expect(faultOf(string, null)?.message).toBe("expected string, received null");
});
