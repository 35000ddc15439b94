import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { KINDS } from "../src/domain/resources/kinds.ts";

const TESTS = new URL(".", import.meta.url).pathname;
const SOURCES = new URL("../src/", import.meta.url).pathname;
const REAL = join(TESTS, "qemu");

const protocol = await readFile(join(SOURCES, "qmp/PROTOCOL.md"), "utf8");
const scopes = await readFile(join(SOURCES, "domain/SCOPES.md"), "utf8");

/** The names that a page defines: `### R1 …`, `- **P1 …`, `| A1 | …`. */
function definedIn(page: string): readonly string[] {
  return [...page.matchAll(/^(?:### |- \*\*|\| )([A-Z]\d+)\b/gm)].map(([, name = ""]) => name);
}

/** The names that titles of tests begin with, as they stand in the sources: `"R6, R17: …"`. */
function titlesIn(text: string): readonly string[] {
  return [...text.matchAll(/["`]([A-Z]\d+(?:, [A-Z]\d+)*): /g)].flatMap(([, names = ""]) => names.split(", "));
}

async function sourcesIn(folder: string, ending: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(ending));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)));
}

/** What is in the first list and not in the second. */
function missing(wanted: readonly string[], found: Iterable<string>): readonly string[] {
  const there = new Set(found);
  return [...new Set(wanted)].filter((name) => !there.has(name));
}

const rules = definedIn(protocol);
const [steps, others] = [
  definedIn(scopes).filter((name) => name.startsWith("S")),
  definedIn(scopes).filter((name) => !name.startsWith("S")),
];

describe("src/qmp/PROTOCOL.md", () => {
  test("numbers its rules from 1 on, and has the source and the measurement of each", () => {
    expect(rules.length).toBeGreaterThan(40);
    expect(rules).toEqual(rules.map((_, index) => `R${index + 1}`));
    const sections = protocol.split(/^#+ /m).filter((section) => /^R\d+ /.test(section));
    for (const line of ["- Source: ", "- Measured: "]) {
      expect(sections.filter((section) => !section.includes(`\n${line}`)).map((section) => section.split(" ")[0])).toEqual([]);
    }
  });

  test("has for each rule a test on real QEMU that is named after it", async () => {
    expect(missing(rules, [...(await sourcesIn(REAL, ".test.ts")).values()].flatMap(titlesIn))).toEqual([]);
  });
});

describe("src/domain/SCOPES.md", () => {
  test("names each step, promise and case once", () => {
    const all = [...rules, ...steps, ...others];
    expect(all.filter((name, index) => all.indexOf(name) !== index)).toEqual([]);
    expect(steps).toEqual(steps.map((_, index) => `S${index + 1}`));
    expect(others.filter((name) => name.startsWith("P")).length).toBeGreaterThan(20);
    expect(others.filter((name) => /^[A-H]/.test(name)).length).toBeGreaterThan(40);
  });

  test("has each resource of the registry in its table, in that order", () => {
    const [, table = ""] = scopes.split("| resource | verb |");
    const rows = [...(table.split("\n\n")[0]?.matchAll(/^\| `([\w-]+)` \|/gm) ?? [])].map(([, name]) => name);
    expect(rows).toEqual(KINDS.map(({ resource }) => resource));
  });

  test("has for each promise and each case a test that is named after it", async () => {
    expect(missing(others, [...(await sourcesIn(TESTS, ".test.ts")).values()].flatMap(titlesIn))).toEqual([]);
  });
});

test("the phases of a change are named by the steps, in their order", async () => {
  const sources = await sourcesIn(join(SOURCES, "domain/change"), ".ts");
  const titles = [...scopes.matchAll(/^### (S\d+ [A-Z][a-z ]+)$/gm)].map(([, title = ""]) => title);
  expect(titles.map((title) => title.split(" ")[0])).toEqual(steps);
  const comments = [...sources.values()].flatMap((text) => text.match(/(\/\/|^\s*\/?\*).*/gm) ?? []).join("\n");
  expect(titles.filter((title) => !comments.includes(title))).toEqual([]);
});

test("no test is named after a rule, a promise or a case that is not written down", async () => {
  const titles = [...(await sourcesIn(TESTS, ".test.ts"))]
    .filter(([name]) => name !== "rules.test.ts")
    .flatMap(([, text]) => titlesIn(text));
  expect(missing(titles, [...rules, ...steps, ...others])).toEqual([]);
});

test("no comment refers to a rule, a step or a promise that is not written down", async () => {
  const comments = [...(await sourcesIn(SOURCES, ".ts"))]
    .filter(([name]) => !name.includes("generated/"))
    .flatMap(([, text]) => text.match(/(\/\/|^\s*\/?\*).*/gm) ?? []);
  const named = comments.flatMap((comment) => comment.match(/\b[RSP][1-9]\d?\b/g) ?? []);
  expect(named.length).toBeGreaterThan(2);
  expect(missing(named, [...rules, ...steps, ...others])).toEqual([]);
});

test("what others get wrong is told with a test of ours that is really there", async () => {
  const readme = await readFile(join(REAL, "README.md"), "utf8");
  const [, section = ""] = readme.split("\n## What others get wrong, and where it is tested\n");
  const lines = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| "));
  const rows = lines.flatMap((line) => [...line.matchAll(/^\| ([^|]+) \| `([\w-]+)`: (.+) \|$/g)]);
  // All but the head of the table.
  expect(rows.length).toBe(lines.length - 1);
  expect(rows.length).toBeGreaterThanOrEqual(22);
  const sources = await sourcesIn(REAL, ".test.ts");
  for (const [, , file = "", title = ""] of rows) expect(sources.get(`${file}.test.ts`), file).toContain(title);
});

test.each([
  ['test("R1: x")', ["R1"]],
  ['test.each([1])("R3, E5: %s")', ["R3", "E5"]],
  ["it(`P4, A5: ${a}`)", ["P4", "A5"]],
  ['// R6: in passing\nexpect(x, "as in R7").toBe(1)', []],
])("names are found in the titles of %j", (text, names) => {
  expect(titlesIn(text)).toEqual(names);
});
