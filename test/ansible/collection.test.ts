import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { yamlOf } from "../../scripts/build/yaml.ts";
import { COLLECTION as CONTENT, moduleDocs } from "../../src/ansible/collection.ts";
import { DOMAIN_OPTIONS } from "../../src/ansible/domain-options.ts";
import { INFO_OPTIONS } from "../../src/ansible/info-options.ts";
import { fileKeys } from "../../src/domain/resources/allocation.ts";
import { COLLECTION } from "./program.ts";

type Tree = { readonly [key: string]: Tree };

/** The documentation of a module, as it is shown. */
function docsOf(module: "domain" | "domain_info"): Tree {
  return moduleDocs(module, "1.2.3") as unknown as Tree;
}

describe("the collection", () => {
  test("has what Ansible looks for, and nothing else", async () => {
    const files = (await readdir(COLLECTION, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.map(({ parentPath, name }) => `${parentPath}/${name}`.slice(COLLECTION.length + 1)).sort()).toEqual([
      ...["README.md", "galaxy.yml", "meta/runtime.yml"],
      ...["domain.js", "domain.yml", "domain_info.js", "domain_info.yml"].map((name) => `plugins/modules/${name}`),
    ]);
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    expect(await readFile(`${COLLECTION}/galaxy.yml`, "utf8")).toContain(`version: "${version}"\n`);
  });

  test("documents each option that a module takes, with what it may be", () => {
    for (const [module, options] of [["domain", DOMAIN_OPTIONS] as const, ["domain_info", INFO_OPTIONS] as const]) {
      const { options: shown } = docsOf(module)["DOCUMENTATION"] as unknown as { options: Record<string, Record<string, unknown>> };
      expect(Object.keys(shown)).toEqual(Object.keys(options));
      for (const [name, { about, choices, default: usual, aliases, required }] of Object.entries(options))
        expect(shown[name], name).toMatchObject(
          JSON.parse(JSON.stringify({ description: about, choices, default: usual, aliases, required })) as object,
        );
    }
  });

  test("documents every value that an allocation may have", () => {
    const allocation = docsOf("domain")["DOCUMENTATION"]?.["options"]?.["allocation"]?.["suboptions"];
    const shown = Object.entries(allocation ?? {}).flatMap(([group, { suboptions }]) =>
      Object.keys(suboptions ?? {}).map((key) => `${group}.${key}`),
    );
    expect(shown.sort()).toEqual(
      fileKeys()
        .map(({ place }) => place)
        .sort(),
    );
  });

  test("its examples use no option that there is not", () => {
    for (const [module, options] of [["domain", DOMAIN_OPTIONS] as const, ["domain_info", INFO_OPTIONS] as const]) {
      const examples = String(docsOf(module)["EXAMPLES"]);
      const used = [...examples.matchAll(/^ {2}qmpctl\.qemu\.(\w+):\n((?: {4}.*\n?)+)/gm)];
      expect(used.length).toBeGreaterThan(1);
      for (const [, name, lines = ""] of used) {
        expect(name).toBe(module);
        expect(
          [...lines.matchAll(/^ {4}(\w+):/gm)].map(([, option]) => option).filter((option) => !Object.hasOwn(options, option ?? "")),
        ).toEqual([]);
      }
    }
  });

  test("names every action that a task may answer with", async () => {
    const text = String((docsOf("domain")["RETURN"] as unknown as Record<string, { description: string }>)["actions"]?.description);
    const source = await Promise.all(
      ["stage", "bring", "definition"].map((name) => readFile(new URL(`../../src/ansible/${name}.ts`, import.meta.url), "utf8")),
    );
    const actions = new Set([...source.join("").matchAll(/action: "(\w+)"/g)].map(([, action]) => action));
    expect(actions.size).toBeGreaterThan(8);
    expect([...actions].filter((action) => !text.includes(`C(${action})`))).toEqual([]);
  });

  test("the modules of its group are those that there are", () => {
    expect(CONTENT.runtime).toMatchObject({ action_groups: { qemu: Object.keys(CONTENT.modules) } });
  });
});

describe("YAML", () => {
  test("is written so that what looks like something else stays a text", () => {
    expect(yamlOf({ a: "no", b: [{ c: 1, d: ["x: y"] }, []], "e f": "one\n\n  two\n", g: {}, h: [["i"]] })).toBe(
      '---\na: "no"\nb:\n  - c: 1\n    d:\n      - "x: y"\n  - []\n"e f": |\n  one\n\n    two\ng: {}\nh:\n  - - "i"\n',
    );
  });
});
