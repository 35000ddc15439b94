import { z } from "zod/v3";

/** True: the value passes. False: ask the schema itself, which may still accept it, and can say what is wrong. */
export type QuickCheck = (value: unknown) => boolean;

/**
 * A quick test for values that a schema accepts. Replies are nearly always right, and zod takes ten times as long to find that out. It
 * knows the few kinds of schema that replies are made of, and returns false for all others.
 */
export function quickCheck(schema: z.ZodTypeAny): QuickCheck {
  if (schema instanceof z.ZodObject && schema._def.unknownKeys === "passthrough")
    return quickObject(Object.entries(schema.shape as Readonly<Record<string, z.ZodTypeAny>>));
  if (schema instanceof z.ZodArray) return quickArray(quickCheck(schema.element as z.ZodTypeAny));
  if (schema instanceof z.ZodOptional) return quickOptional(quickCheck(schema.unwrap() as z.ZodTypeAny));
  if (schema instanceof z.ZodRecord && schema.valueSchema instanceof z.ZodUnknown) return isPlain;
  if (schema instanceof z.ZodString && schema._def.checks.length === 0) return (value) => typeof value === "string";
  if (schema instanceof z.ZodNumber && schema._def.checks.length === 0) return (value) => typeof value === "number" && !Number.isNaN(value);
  if (schema instanceof z.ZodBoolean) return (value) => typeof value === "boolean";
  return schema instanceof z.ZodUnknown ? () => true : () => false;
}

function quickObject(shape: readonly (readonly [string, z.ZodTypeAny])[]): QuickCheck {
  const members = shape.map(([name, schema]) => ({ name, right: quickCheck(schema) }));
  return (value) => {
    if (!isPlain(value)) return false;
    for (const { name, right } of members) if (!right(value[name])) return false;
    return true;
  };
}

function quickArray(right: QuickCheck): QuickCheck {
  return (value) => Array.isArray(value) && value.every(right);
}

function quickOptional(right: QuickCheck): QuickCheck {
  return (value) => value === undefined || right(value);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
