type Yaml = string | number | boolean | readonly Yaml[] | { readonly [key: string]: Yaml };

/** A value as YAML: lists and dictionaries as blocks, texts of several lines as they are, others quoted as JSON has them. */
export function yamlOf(value: Yaml): string {
  return `---\n${block(value, "")}`;
}

function block(value: Yaml, indent: string): string {
  if (Array.isArray(value)) return value.map((each: Yaml) => `${indent}- ${inline(each, `${indent}  `).trimStart()}`).join("");
  if (typeof value !== "object") return `${indent}${scalar(value, indent)}\n`;
  return Object.entries(value)
    .map(
      ([key, each]) =>
        `${indent}${keyOf(key)}:${isBlock(each) ? `\n${block(each, `${indent}  `)}` : ` ${scalar(each as string, `${indent}  `)}\n`}`,
    )
    .join("");
}

/** What follows the dash of a list. */
function inline(value: Yaml, indent: string): string {
  return isBlock(value) ? block(value, indent) : `${scalar(value as string, indent)}\n`;
}

function isBlock(value: Yaml): boolean {
  return typeof value === "object" && Object.keys(value).length > 0;
}

function scalar(value: string | number | boolean | object, indent: string): string {
  if (typeof value === "object") return Array.isArray(value) ? "[]" : "{}";
  if (typeof value !== "string" || !value.includes("\n")) return JSON.stringify(value);
  return `|\n${value
    .trimEnd()
    .split("\n")
    .map((line) => (line === "" ? "" : `${indent}${line}`))
    .join("\n")}`;
}

function keyOf(key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? key : JSON.stringify(key);
}
