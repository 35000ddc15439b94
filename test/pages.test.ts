import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { alike } from "../scripts/pages/alike.ts";
import { blocksOf, sessionOf, type Shown, withOutputs } from "../scripts/pages/console.ts";
import { PAGES, readPage, underHeading } from "../scripts/pages/table.ts";
import { plainWords } from "../scripts/pages/words.ts";
import { faultOfLine } from "./cli/command-line.ts";

const PROJECT = new URL("..", import.meta.url).pathname;

/** All pages that are shipped, and those of the source. */
const pages = (await Promise.all(["", "src", "test", "fixtures", "scripts"].map(pagesIn))).flat();
const texts = await Promise.all(pages.map(async (page) => [page, await readPage(page)] as const));

async function pagesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(PROJECT, folder), { recursive: folder !== "" });
  return names.filter((name) => name.endsWith(".md")).map((name) => join(folder, name));
}

describe("where console examples are run", () => {
  test("is said of every page that has some, and of no other", () => {
    const having = texts.filter(([, text]) => blocksOf(text).length > 0).map(([page]) => page);
    expect(Object.keys(PAGES).toSorted()).toEqual(having.toSorted());
  });

  test.each(Object.entries(PAGES))("%s: every heading that is named has examples, and each example a place", async (page, plays) => {
    const text = await readPage(page);
    const { recorded, real = {}, hosts = [], not = {} } = plays;
    const named = [...Object.keys(real), ...hosts, ...Object.keys(not)];
    expect(named.filter((heading) => underHeading(text, heading).length === 0)).toEqual([]);
    expect(new Set(named).size).toBe(named.length);
    const others = sessionOf(blocksOf(text)).filter(({ heading }) => !named.includes(heading));
    expect(others.length > 0).toBe(recorded !== undefined);
  });
});

/** Lines of the program in a page: in console blocks that are not run, indented, and in sentences. */
function linesIn(page: string, text: string): readonly string[] {
  const isRun = ({ heading }: Shown): boolean => !Object.hasOwn(PAGES[page]?.not ?? {}, heading);
  const commands = blocksOf(text)
    .flat()
    .filter((shown) => !isRun(shown));
  const shown = commands.map(({ command }) => command).filter((command) => command.startsWith("qmpctl "));
  const prose = text.replaceAll(/^```[^]*?^```$/gm, "");
  const indented = [...prose.matchAll(/^ {4}(?:\$ )?(qmpctl .*)$/gm)].map(([, line = ""]) => line);
  const inline = [...prose.matchAll(/`(qmpctl [^`\n]+)`/g)].map(([, line = ""]) => line.replaceAll("\\|", "|"));
  return [...shown, ...indented, ...inline];
}

test.each(texts)("%s: every command line is one that the program reads", async (page, text) => {
  const faults = await Promise.all(linesIn(page, text).map(async (line) => [line, await faultOfLine(line)] as const));
  expect(faults.filter(([, fault]) => fault !== undefined)).toEqual([]);
});

test("command lines are looked at on many pages", () => {
  expect(texts.filter(([page, text]) => linesIn(page, text).length > 0).length).toBeGreaterThan(8);
});

test.each([
  ["qmpctl setmem web1 300M", undefined],
  ["qmpctl -H 'kvm[01-20]' setmem 'web*' 2GiB --both --at-once 5 # a comment", undefined],
  ["qmpctl dominfo web1", undefined],
  ["qmpctl setmemm web1 300M", "setmemm: there is no such verb"],
  ["qmpctl setmem web1 300M --boht", "--boht: there is no such option, did you mean --both?"],
  ["qmpctl setmem web1", "SIZE: missing"],
  ["qmpctl -H kvm1 config web1 x | qmpctl apply", '"x": one operand too many'],
])("%j is read as %j", async (line, fault) => expect(await faultOfLine(line)).toEqual(fault));

describe("console examples", () => {
  const page = "# A\n```console\n$ one\nsaid\n\n$ two\n```\n## B\n```sh\n# no heading\n```\n```console\n$ one\nsaid\n```\n";

  test("are the commands of console blocks, each under its heading; a block that quotes another one does not count", () => {
    expect(sessionOf(blocksOf(page))).toEqual([
      { command: "one", said: "said", heading: "A" },
      { command: "two", said: "", heading: "A" },
    ]);
    expect(blocksOf(page)[1]).toEqual([{ command: "one", said: "said", heading: "B" }]);
  });

  test("get the real output in each place", () => {
    const shown = sessionOf(blocksOf(page));
    const told = shown.map((each) => ({ ...each, said: `really ${each.command}` }));
    expect(withOutputs("```console\n$ two\n```\n", shown.slice(1), told.slice(1))).toBe("```console\n$ two\nreally two\n```\n");
  });

  test("may differ in what varies, and in nothing else", () => {
    expect(alike("web1: started, pid 6687, 1 vCPU, 512MiB")).toBe(alike("web1: started, pid 12, 1 vCPU, 512MiB"));
    expect(alike("web1: started, pid 6687, 1 vCPU, 512MiB")).not.toBe(alike("web1: started, pid 6687, 1 vCPU, 300MiB"));
    for (const time of ["210 ms", "5.6 s", "1 min 2 s", "2 min"]) expect(alike(`up for ${time}`)).toBe("up for N s");
    expect(alike("memory  dynamic  512MiB -> 300MiB  applied")).not.toBe(alike("memory  dynamic  512MiB -> 300MiB  pending"));
  });

  test.each([
    [`qmpctl setmem 'a b' "c \\" d" e\\ f # g`, ["qmpctl", "setmem", "a b", 'c " d', "e f"]],
    ["a | b", undefined],
    ["a $(b)", undefined],
    ['a "$b"', undefined],
    ["a 'b|c'", ["a", "b|c"]],
    ["a *.json", undefined],
    ["a > b", undefined],
    ["a 'b", undefined],
  ])("%j are the words %j", (line, words) => expect(plainWords(line)).toEqual(words));
});
