import { execFile } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { readIntrospection } from "../../src/schema/introspection.ts";
import { generateFile, generateFiles } from "../../src/schema/typegen/files.ts";
import type { Source } from "../../src/schema/typegen/merge.ts";
import { presence } from "../../src/schema/typegen/presence.ts";
import { recorded } from "./recorded.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const GENERATED = join(PROJECT, "src/schema/generated");

const builtins = ["str", "int", "bool", "null", "any"].map((name) => ({
  name,
  "meta-type": "builtin",
  "json-type": { str: "string", int: "int", bool: "boolean", null: "null", any: "value" }[name],
}));
const nothing = { name: "0", "meta-type": "object", members: [] };

function source(version: string, entries: readonly object[], arch = "x86_64"): Source {
  return { version, arch, schema: readIntrospection([...builtins, nothing, ...entries] as Parameters<typeof readIntrospection>[0]) };
}

function object(name: string, members: Readonly<Record<string, string>>, more: object = {}): object {
  const optional = (member: string): object => (member.endsWith("?") ? { default: null } : {});
  return {
    name,
    "meta-type": "object",
    members: Object.entries(members).map(([member, type]) => ({ name: member.replace("?", ""), type, ...optional(member) })),
    ...more,
  };
}

function command(name: string, taken: string, given = "0", more: object = {}): object {
  return { name, "meta-type": "command", "arg-type": taken, "ret-type": given, ...more };
}

/** The text of all files, without their heads and without the types that are always there. */
function generated(...sources: readonly Source[]): string {
  const files = generateFiles(sources);
  const types = files.get("types.ts")?.split("Readonly<Record<string, unknown>>;\n")[1] ?? "";
  return [types, ...["commands.ts", "events.ts"].map((name) => files.get(name)?.split("{\n").slice(1).join("{\n") ?? "")].join("\n");
}

describe("the generated files", () => {
  test("are what the recordings give, and nothing else is there", async () => {
    const files = generateFiles(
      [...recorded].map(([name, { arch, introspection }]) => ({ version: name.split("_")[0] ?? "", arch, schema: introspection })),
    );
    expect((await readdir(GENERATED)).sort()).toEqual([...files.keys()].sort());
    for (const [name, text] of files)
      expect((await readFile(join(GENERATED, name), "utf8")) === text, `${name}: npm run generate`).toBe(true);
  });

  test("know every command and event of every recording", async () => {
    const [commands, events] = await Promise.all(["commands.ts", "events.ts"].map((name) => readFile(join(GENERATED, name), "utf8")));
    for (const { introspection } of recorded.values()) {
      for (const name of introspection.commands.keys()) expect(commands).toContain(`\n  "${name}": { arguments: `);
      for (const name of introspection.events.keys()) expect(events).toContain(`\n  ${name}: `);
    }
  });

  test("cost nothing at run time", async () => {
    for (const name of await readdir(GENERATED)) {
      const text = await readFile(join(GENERATED, name), "utf8");
      const statements = text.split("\n").filter((line) => /^\w/.test(line));
      expect(statements.filter((line) => !/^(export (type|interface) |import type )/.test(line))).toEqual([]);
    }
  });
});

describe("of schemas it makes", () => {
  test("members that are needed, may be missing, or are lists", () => {
    const text = generated(
      source("7.2", [
        command("a-b", "1"),
        object("1", { id: "str", "size?": "int", "names?": "[str]", "any-thing": "any" }),
        { name: "[str]", "meta-type": "array", "element-type": "str" },
      ]),
    );
    expect(text).toContain(`export interface ABArguments {
  readonly id: string;
  readonly size?: Integer | undefined;
  readonly names?: readonly string[] | undefined;
  readonly "any-thing": unknown;
}`);
    expect(text).toContain('"a-b": { arguments: types.ABArguments; returns: types.Nothing };');
  });

  test("short types where they stand, and no arguments as none", () => {
    const text = generated(source("7.2", [command("a", "1", "0"), command("b", "0", "str"), object("1", { id: "str" })]));
    expect(text).toContain('"a": { arguments: { readonly id: string }; returns: types.Nothing };');
    expect(text).toContain('"b": { arguments: Readonly<Record<string, never>>; returns: string };');
  });

  test("enumerations that are open, with what each version has of them", () => {
    const text = generated(
      source("7.2", [command("a", "0", "1"), { name: "1", "meta-type": "enum", values: ["off", "on"] }]),
      source("10.0", [
        command("a", "0", "9"),
        { name: "9", "meta-type": "enum", members: [{ name: "on" }, { name: "auto", features: ["unstable"] }], values: ["on", "auto"] },
      ]),
    );
    expect(text).toContain('"on" | /** Since 10.0. @experimental */ "auto" | /** Until 7.2 */ "off" | Other');
  });

  test("a flat union of what has a tag, values with the same members together", () => {
    const variants = [
      { case: "file", type: "3" },
      { case: "raw", type: "0" },
      { case: "null", type: "0" },
    ];
    const text = generated(
      source("7.2", [
        command("add", "1"),
        object("1", { driver: "2", "id?": "str" }, { tag: "driver", variants }),
        { name: "2", "meta-type": "enum", values: ["file", "raw", "null"] },
        object("3", { path: "str" }),
      ]),
    );
    expect(text).toContain(`export type AddArguments = { readonly id?: string | undefined } & (
  | { readonly driver: "file"; readonly path: string }
  | { readonly driver: "raw" | "null" }
);`);
  });

  test("a union of an alternate, and types that contain themselves", () => {
    const text = generated(
      source("7.2", [
        command("add", "1"),
        object("1", { "backing?": "2", name: "str", x: "int", y: "int", z: "int" }),
        { name: "2", "meta-type": "alternate", members: [{ type: "1" }, { type: "str" }, { type: "null" }] },
      ]),
    );
    expect(text).toContain("readonly backing?: AddArguments | string | null | undefined;");
  });

  test("what is deprecated or unstable marked as such, and in which versions things are", () => {
    const old = source("7.2", [
      command("a", "1"),
      command("gone", "0"),
      object("1", { one: "str", two: "str", three: "str", four: "str", five: "str" }),
    ]);
    const members = [
      { name: "one", type: "str", features: ["deprecated"] },
      { name: "two", type: "int" },
      { name: "six", type: "str", features: ["unstable"] },
    ];
    const text = generated(
      old,
      source("10.0", [command("a", "7", "0", { features: ["deprecated", "fdset"] }), command("new", "0"), object("7", {}, { members })]),
    );
    expect(text).toContain("/** @deprecated since 10.0 */\n  readonly one: string;");
    expect(text).toContain("readonly two: Integer | string;");
    expect(text).toContain("/** Until 7.2 */\n  readonly three?: string | undefined;");
    expect(text).toContain("/** Since 10.0. @experimental */\n  readonly six?: string | undefined;");
    expect(text).toContain('/** Features: fdset. @deprecated since 10.0 */\n  "a":');
    expect(text).toContain('/** Until 7.2 */\n  "gone":');
    expect(text).toContain('/** Since 10.0 */\n  "new":');
  });

  test("one type of what is the same in all versions, however it is numbered, and of what reads the same", () => {
    const big = { one: "str", two: "str", three: "str", four: "str", five: "str" };
    const text = generated(
      source("7.2", [command("a", "1"), command("b", "2"), object("1", big), object("2", big)]),
      source("10.0", [command("a", "2"), command("b", "1"), object("1", big), object("2", big)]),
    );
    expect(text.match(/export interface/g)).toHaveLength(1);
    expect(text).toContain('"b": { arguments: types.AArguments; returns: types.Nothing };');
  });

  test("two types of what one version tells apart, whatever another did", () => {
    const [both, own] = [
      { one: "str", two: "str", three: "str", four: "str", five: "str" },
      { one: "str", two: "str", three: "str", four: "str", six: "str" },
    ];
    const text = generated(
      source("7.2", [command("a", "1"), command("b", "1"), object("1", both)]),
      source("10.0", [command("a", "1"), command("b", "2"), object("1", both), object("2", own)]),
    );
    expect(text).toContain('"a": { arguments: types.AArguments;');
    expect(text).toContain('"b": { arguments: types.BArguments;');
  });

  test("events with their data, or none", () => {
    const event = (name: string, data: string): object => ({ name, "meta-type": "event", "arg-type": data });
    const text = generated(source("7.2", [event("STOP", "0"), event("GONE", "1"), object("1", { path: "str" })]));
    expect(text).toContain("  GONE: { readonly path: string };\n  STOP: undefined;");
  });
});

test.each<[readonly number[], string]>([
  [[0, 1, 2, 3, 4], ""],
  [[1, 2, 3, 4], "since 7.2"],
  [[0], "until 5.2"],
  [[0, 4], "in 5.2, 10.0"],
  [[0, 1, 4], "x86_64 only"],
  [[0, 1, 3, 4], "not s390x"],
  [[3], "in 7.2; ppc64 only"],
  [[4], "since 10.0"],
])("what sources %j have is told as %j", (having, words) => {
  const sources = [source("5.2", []), source("7.2", []), source("7.2", [], "s390x"), source("7.2", [], "ppc64"), source("10.0", [])];
  expect(presence(sources, new Set(having))).toBe(words);
});

test("for one QEMU all is in one file that needs no other", () => {
  const text = generateFile(
    source("9.0", [command("a", "1"), object("1", { path: "str", force: "bool", size: "int", x: "str" })]),
    "QEMU 9.0",
  );
  expect(text).not.toMatch(/^import/m);
  expect(text).toContain('"a": { arguments: AArguments; returns: Nothing };');
  expect(text).toContain("QEMU 9.0 (x86_64)");
});

test("npm run generate -- --check says what differs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-generated-"));
  const generate = async (...options: string[]): Promise<{ code?: number; stderr: string }> => {
    const command = ["--import", "tsx", join(PROJECT, "scripts/generate-types.ts"), "--into", folder, ...options];
    return promisify(execFile)(process.execPath, command, { cwd: PROJECT }).catch((error: { code: number; stderr: string }) => error);
  };
  try {
    expect((await generate("--check")).stderr).toContain("commands.ts, events.ts, presence.ts, types.ts");
    await generate();
    expect(await generate("--check")).toMatchObject({ stderr: "" });
    await appendFile(join(folder, "events.ts"), "\n");
    await writeFile(join(folder, "more.ts"), "");
    const stale = await generate("--check");
    expect(stale.code).toBe(1);
    expect(stale.stderr).toContain("events.ts, more.ts;");
  } finally {
    await rm(folder, { recursive: true });
  }
}, 60_000);
