import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROJECT = new URL("..", import.meta.url).pathname;
const WRITTEN = /\.(md|ts|mjs|sh|json|yml)$|^\.(ci|editorconfig|gitattributes|gitignore|node-version)/;

/** The files of the project, but for what is made or recorded. */
const files = (await allFiles()).filter((path) => !/(^|\/)(node_modules|dist)\/|^\.(git|testbed)\/|^package-lock/.test(path));
const pages = files.filter((path) => path.endsWith(".md"));
const written = files.filter((path) => WRITTEN.test(path) && !/^fixtures\/.*\.json$|generated\//.test(path));

/** As Git has them, new ones too; a copy without Git is read by folder. */
async function allFiles(): Promise<readonly string[]> {
  const listed = await promisify(execFile)("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: PROJECT,
    maxBuffer: 2 ** 24,
  }).catch(() => undefined);
  const names = listed?.stdout.split("\0").filter(Boolean) ?? (await readdir(PROJECT, { recursive: true }));
  const there = await Promise.all(
    names.map((name) =>
      stat(join(PROJECT, name)).then(
        (it) => it.isFile(),
        () => false,
      ),
    ),
  );
  return names.filter((_, index) => there[index]);
}

const read = (path: string): Promise<string> => readFile(join(PROJECT, path), "utf8");

/** The links of a page, without what is in code. */
function linksOf(text: string): readonly string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, to = ""]) => to);
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  const headings = [...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Names of documents that a text has, as `README.md` or `src/x/Y.md`. */
function documentsIn(text: string): readonly string[] {
  return [...text.matchAll(/(?<![\w*$}])[\w./-]*[\w-]\.md\b/g)].map(([name]) => name);
}

/** Paths of files and folders of this project that a page has in code: `src/x/y.ts`, `test/`. Those with a placeholder are none. */
function pathsIn(text: string): readonly string[] {
  const folders = "src|test|scripts|fixtures|\\.ci";
  return [...text.matchAll(new RegExp(`\`((?:${folders})/[^\`\\s]*)\``, "g"))]
    .map(([, path = ""]) => path.replace(/:\d+$/, ""))
    .filter((path) => !/[A-Z*<…]{2,}|[*<…]/.test(path.replace(/[A-Z]+\.md$/, "")));
}

test("every link of every page leads to a file or a heading that is there", async () => {
  expect(pages.length).toBeGreaterThan(8);
  const dead = await Promise.all(
    pages.map(async (page) => {
      const links = linksOf(await read(page)).filter((to) => !/^\w+:/.test(to));
      const fates = await Promise.all(
        links.map(async (to) => {
          const [path = "", anchor] = to.split("#");
          const target = path === "" ? page : relative(PROJECT, join(PROJECT, dirname(page), path)).replace(/\/$/, "");
          if (!files.some((file) => file === target || file.startsWith(`${target}/`))) return to;
          return anchor === undefined || anchorsOf(await read(target)).includes(anchor) ? undefined : to;
        }),
      );
      return fates.filter((to) => to !== undefined).map((to) => `${page}: ${to}`);
    }),
  );
  expect(dead.flat()).toEqual([]);
});

test("the README leads to every page beside the code", async () => {
  const linked = linksOf(await read("README.md")).map((to) => to.split("#")[0]);
  expect(pages.filter((page) => page.startsWith("src/") && !linked.includes(page))).toEqual([]);
});

test("no file names a document that is not in the project", async () => {
  const names = new Set(pages.map((page) => basename(page)));
  const strangers = await Promise.all(
    written
      .filter((path) => path !== "test/documents.test.ts")
      .map(async (path) =>
        documentsIn(await read(path))
          .filter((name) => (name.includes("/") ? !isThere(name, path) : !names.has(name)))
          .map((name) => `${path}: ${name}`),
      ),
  );
  expect(strangers.flat()).toEqual([]);
});

/** Whether a path is one of the project, from its root, from `src/`, or from where it is written. */
function isThere(path: string, from: string): boolean {
  return [path, join("src", path), join(dirname(from), path)].some((each) => pages.includes(each));
}

test("every file and folder that a page names is there", async () => {
  const strays = await Promise.all(
    pages.map(async (page) =>
      pathsIn(await read(page))
        .filter((path) => !files.some((file) => file === path || file.startsWith(`${path.replace(/\/$/, "")}/`)))
        .map((path) => `${page}: ${path}`),
    ),
  );
  expect(strays.flat()).toEqual([]);
});

test.each([
  ["see [a](b.md) and `[x](no.md)`", ["b.md"]],
  ["```\n[x](no.md)\n```\n[y](https://z)", ["https://z"]],
])("links are found in %j", (text, links) => expect(linksOf(text)).toEqual(links));

test.each([
  ["See NOTES.md, and `src/x/Y.md`", ["NOTES.md", "src/x/Y.md"]],
  ['path.endsWith(".md"), *.md, `${name}.md`', []],
])("documents are found in %j", (text, names) => expect(documentsIn(text)).toEqual(names));

test.each([
  ["`src/cli/main.ts`, `test/qemu/`, `src/a.ts:12`", ["src/cli/main.ts", "test/qemu/", "src/a.ts"]],
  ["`src/domain/resources/NAME.ts`, `src/*.ts`, src/x.ts, `npm test`", []],
])("paths are found in %j", (text, paths) => expect(pathsIn(text)).toEqual(paths));
