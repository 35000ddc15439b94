import type { JsonSchema } from "../src/shape.ts";

/** What is wrong with a value by a schema of draft 7, as much of it as ours have; null when it is valid. */
export function invalid(schema: JsonSchema, value: unknown, at = "$"): string | null {
  const { anyOf, type, properties, required, additionalProperties, propertyNames, items } = schema;
  if (anyOf !== undefined) return anyOf.some((each) => invalid(each, value, at) === null) ? null : `${at}: none of ${anyOf.length}`;
  if (schema.enum !== undefined && !(schema.enum as readonly unknown[]).includes(value)) return `${at}: not one of ${schema.enum.join()}`;
  if (type !== undefined && ![type].flat().some((each) => isOf(each, value))) return `${at}: no ${String(type)}`;
  if (typeof value === "string") {
    if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) return `${at}: not like ${schema.pattern}`;
    if (schema.maxLength !== undefined && [...value].length > schema.maxLength) return `${at}: too long`;
  }
  if (typeof value === "number" && !(value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity)))
    return `${at}: out of range`;
  if (Array.isArray(value)) return first(value.map((each, index) => invalid(items ?? {}, each, `${at}[${index}]`)));
  if (typeof value !== "object" || value === null) return null;
  const missing = required?.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${at}: ${missing} is missing`;
  return first(
    Object.entries(value).flatMap(([name, each]) => {
      const own = Object.hasOwn(properties ?? {}, name) ? properties?.[name] : additionalProperties;
      if (own === false) return [`${at}: ${name} is unknown`];
      return [
        propertyNames === undefined ? null : invalid(propertyNames, name, `${at}: the name ${name}`),
        invalid(own ?? {}, each, `${at}.${name}`),
      ];
    }),
  );
}

function first(faults: readonly (string | null)[]): string | null {
  return faults.find((fault) => fault !== null) ?? null;
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === type;
}
