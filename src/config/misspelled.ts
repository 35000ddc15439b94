import { z } from "zod/v3";
import { nearest } from "../nearest.ts";
import type { ConfigIssue } from "./config-error.ts";

/**
 * Keys that are unknown, and near to a known key that is absent: `memroy`. Other unknown keys are left alone, but such a key would be
 * ignored, and its value would never take effect.
 */
export function misspelledKeys(raw: unknown, schema: z.ZodTypeAny, at: readonly string[] = []): readonly ConfigIssue[] {
  const inner = bare(schema);
  if (!(inner instanceof z.ZodObject) || typeof raw !== "object" || raw === null || Array.isArray(raw)) return [];
  const shape = inner.shape as Readonly<Record<string, z.ZodTypeAny>>;
  const absent = Object.keys(shape).filter((key) => !Object.hasOwn(raw, key));
  return Object.entries(raw).flatMap(([key, value]): readonly ConfigIssue[] => {
    const own = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (own !== undefined) return misspelledKeys(value, own, [...at, key]);
    // A short name is near to many others.
    const meant =
      key.length < 3
        ? undefined
        : nearest(
            key,
            absent.filter((each) => each.length > 2),
          );
    return meant === undefined
      ? []
      : [{ path: [...at, key].join("."), value, expected: `the key ${JSON.stringify(meant)}: did you mean that?` }];
  });
}

function bare(schema: z.ZodTypeAny): z.ZodTypeAny {
  if (schema instanceof z.ZodOptional) return bare(schema.unwrap() as z.ZodTypeAny);
  return schema instanceof z.ZodDefault ? bare(schema.removeDefault() as z.ZodTypeAny) : schema;
}
