import { expectedAt, launchConfig } from "../../config/launch-shape.ts";
import { fileKeys } from "../../domain/resources/allocation.ts";
import type { JsonSchema } from "../../shape.ts";

/** Names the schema of a file, for editors. */
const OWN_SCHEMA: JsonSchema = { type: "string", description: "the schema of this file, for editors" };

/** The JSON Schema of a launch config: what checks it, with what the messages of that say would be right. */
export function configSchema(): JsonSchema {
  const schema = described(launchConfig.schema(), []);
  return { ...schema, properties: { $schema: OWN_SCHEMA, ...schema.properties } };
}

function described(schema: JsonSchema, path: readonly string[]): JsonSchema {
  const { properties, additionalProperties, items } = schema;
  const at = path.join(".");
  return {
    ...(path.length === 0 ? {} : { description: expectedAt(at, undefined) }),
    ...schema,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, described(each, [...path, name])])) }),
    ...(additionalProperties === undefined || additionalProperties === false
      ? {}
      : { additionalProperties: described(additionalProperties, [...path, "*"]) }),
    ...(items === undefined ? {} : { items: described(items, [...path, "*"]) }),
  };
}

/** The JSON Schema of what `apply` reads. Of the values it says only what they look like: each is checked against its machine. */
export function allocationSchema(): JsonSchema {
  const groups: Record<string, Record<string, JsonSchema>> = {};
  for (const { place, shape, example } of fileKeys()) {
    const [group = "", key = ""] = place.split(".");
    (groups[group] ??= {})[key] = { description: `${shape}, as ${example}` };
  }
  const properties = Object.entries(groups).map(([group, keys]): [string, JsonSchema] => [
    group,
    { type: "object", properties: keys, additionalProperties: false },
  ]);
  return { type: "object", properties: { $schema: OWN_SCHEMA, ...Object.fromEntries(properties) }, additionalProperties: false };
}
