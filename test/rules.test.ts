import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";

const TESTS = new URL(".", import.meta.url).pathname;
const REAL = join(TESTS, "qemu");

/** The rules of QMP are numbered from 1 to this. */
const RULES = 46;

/** Titles of tests, as they stand in the sources: strings that open with the rules they show, as `"R6, R17: …"`. */
function rulesIn(text: string): readonly number[] {
  const titles = text.matchAll(/["`](R\d+(?:, R\d+)*): /g);
  return [...titles].flatMap(([, rules = ""]) => rules.split(", ").map((rule) => Number(rule.slice(1))));
}

async function sourcesIn(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".test.ts"));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")] as const)));
}

test("each rule of QMP has a test named after it that runs on real QEMU, and no test is named after a rule that is none", async () => {
  const real = new Set([...(await sourcesIn(REAL)).values()].flatMap(rulesIn));
  expect(Array.from({ length: RULES }, (_, index) => index + 1).filter((rule) => !real.has(rule))).toEqual([]);
  const all = [...(await sourcesIn(TESTS)).values()].flatMap(rulesIn);
  expect(all.filter((rule) => rule < 1 || rule > RULES)).toEqual([]);
});

test("what others get wrong is told with a test of ours that is really there", async () => {
  const readme = await readFile(join(REAL, "README.md"), "utf8");
  const [, section = ""] = readme.split("\n## What others get wrong, and where it is tested\n");
  const rows = [...(section.split("\n## ")[0]?.matchAll(/^\| ([^|]+) \| `([\w-]+)`: (.+) \|$/gm) ?? [])];
  const sources = await sourcesIn(REAL);
  // The rows and the complaints that PEERS.md counts.
  expect(rows.length).toBeGreaterThanOrEqual(22);
  for (const [, , file = "", title = ""] of rows) expect(sources.get(`${file}.test.ts`), file).toContain(title);
});

test.each([
  ['test("R1: x")', [1]],
  ['test.each([1])("R3, R46: %s")', [3, 46]],
  ["it(`R4, R5: ${a}`)", [4, 5]],
  ['// R6: in passing\nexpect(x, "as in R7").toBe(1)', []],
])("rules are found in the titles of %j", (text, rules) => {
  expect(rulesIn(text)).toEqual(rules);
});
