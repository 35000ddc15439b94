import { misuse } from "../options.ts";
import { flow, table, wrap } from "../output.ts";
import type { Member, Schema, Type } from "./schema.ts";
import { builtins } from "./statement.ts";

/**
 * What `help` prints in the shell, within so many columns: an overview, or one command or event from QEMU's own schema.
 * @throws UsageError when there is no such command or event
 */
export function describe(topic: string | undefined, schema: Schema, columns: number): string {
  if (topic === undefined) return overview(schema, columns);
  const builtin = Object.hasOwn(builtins, topic) ? builtins[topic] : undefined;
  if (builtin !== undefined) return flow(builtin, columns);
  const kind = schema.has("command", topic) ? "command" : "event";
  const name = kind === "command" ? topic : topic.toUpperCase();
  if (!schema.has(kind, name)) {
    const meant = schema.meant(topic);
    throw misuse(
      `${topic}: this QEMU has no such command${meant === undefined ? "" : `, did you mean ${meant}?`}`,
      topic,
      meant ?? "a command or an event",
    );
  }
  return entry(kind, name, schema, columns);
}

function overview(schema: Schema, columns: number): string {
  const list = wrap(schema.commands.join(" "), columns - 2).map((line) => `  ${line}\n`);
  const own = Object.values(builtins).map((line) => flow(`  ${line}`, columns));
  const head = [
    'COMMAND [JSON | KEY=VALUE...], or a whole {"execute": ...}; !LINE goes to the human monitor',
    "TAB completes. ^R searches earlier lines for what you type; ^R again finds an older one.",
  ];
  return `${head.map((line) => flow(line, columns)).join("")}\ncommands of this shell:\n${own.join("")}\ncommands of this QEMU:\n${list.join("")}`;
}

function entry(kind: "command" | "event", name: string, schema: Schema, columns: number): string {
  const features = schema.features(kind, name);
  const members = schema.members(kind, name);
  const usage = kind === "event" ? "" : members.map((it) => ` ${it.optional ? `[${it.name}=..]` : `${it.name}=..`}`).join("");
  const head = `${[...wrap(`${name}${usage}`, columns - 4)].join("\n    ")}\n${features.length === 0 ? "" : `(${features.join(", ")})\n`}`;
  const rows = members.flatMap((member) => rowsOf(member, "", schema));
  const returned = kind === "command" ? returns(schema, schema.returns(name), columns) : "";
  return head + (rows.length === 0 ? "" : table(rows, { columns })) + returned;
}

function returns(schema: Schema, type: Type | undefined, columns: number): string {
  const of = type?.kind === "array" ? schema.type(type.of[0] ?? "") : type;
  if (type === undefined || of === undefined) return "";
  if (of.kind !== "object") return `returns ${nameOf(type, schema)}\n`;
  const members = schema.membersOf(of);
  if (members.length === 0) return type.kind === "array" ? "returns a list\n" : "returns nothing\n";
  return `returns ${type.kind === "array" ? "a list of" : "an object with"}\n${table(
    members.map((member) => row(member, "", schema)),
    { columns },
  )}`;
}

/** A member and one level below it. Completion shows deeper levels. */
function rowsOf(member: Member, prefix: string, schema: Schema): string[][] {
  const own = row(member, prefix, schema);
  const { type } = member;
  const [of, step] = type.kind === "array" ? [schema.type(type.of[0] ?? ""), "0."] : [type, ""];
  if (of.kind !== "object" || prefix !== "") return [own];
  return [own, ...schema.membersOf(of).flatMap((inner) => rowsOf(inner, `${member.name}.${step}`, schema))];
}

function row({ name, type, optional, features }: Member, prefix: string, schema: Schema): string[] {
  return [
    `  ${prefix}${name}`,
    [nameOf(type, schema), optional ? "(optional)" : "", features.length > 0 ? `(${features.join(", ")})` : ""]
      .filter((part) => part !== "")
      .join(" "),
  ];
}

function nameOf(type: Type, schema: Schema): string {
  switch (type.kind) {
    case "enum":
      return type.values.join("|");
    case "array":
      return `list of ${nameOf(schema.type(type.of[0] ?? ""), schema)}`;
    case "alternate":
      return type.of.map((name) => nameOf(schema.type(name), schema)).join(" or ");
    case "any":
      return "anything";
    default:
      return type.kind;
  }
}
