import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROJECT = new URL("..", import.meta.url).pathname;
const run = promisify(execFile);

const git = (...words: string[]): Promise<string> => run("git", words, { cwd: PROJECT, maxBuffer: 2 ** 24 }).then(({ stdout }) => stdout);

const hasGit = await git("rev-parse").then(
  () => true,
  () => false,
);

test.runIf(hasGit)("what a script makes is marked as made, and nothing else of src/", async () => {
  const sources = (await git("ls-files", "-z", "src", "test/public-types")).split("\0").filter(Boolean);
  const marks = (await git("check-attr", "-z", "linguist-generated", "--", ...sources)).split("\0");
  const marked = sources.filter((_, index) => marks[3 * index + 2] === "set");
  const texts = await Promise.all(sources.map((path) => readFile(join(PROJECT, path), "utf8")));
  const made = sources.filter((path, index) => texts[index]?.startsWith("// generated") || path.startsWith("test/public-types/"));
  expect(made.length).toBeGreaterThan(4);
  expect(marked).toEqual(made);
});

test("the Node of development is the oldest major version that the package takes", async () => {
  const version = (await readFile(join(PROJECT, ".node-version"), "utf8")).trim();
  const { engines } = JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as { engines: { node: string } };
  expect(/^>=(\d+)\./.exec(engines.node)?.[1]).toBe(version);
});
