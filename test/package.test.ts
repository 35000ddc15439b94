/// <reference lib="esnext.disposable" />
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const PROJECT = new URL("..", import.meta.url).pathname;
const TSC = join(PROJECT, "node_modules/typescript/bin/tsc");
const run = promisify(execFile);

/** A stranger's program: every public name it leans on has to be there, with a type that needs nothing else. */
const PROGRAM = `
import { connect, Domain, type Report, type Session } from "qmpctl";
import * as testing from "qmpctl/testing";

export async function main(): Promise<Report> {
  await using session: Session = await connect("unix:/run/monitor.sock", { timeout: 1000 });
  const status = await session.execute("query-status");
  const running: boolean = status.running;
  // @ts-expect-error a status is no number: had the reply no type, this line would not be wrong
  const wrong: number = status.status;
  await using domain = await Domain.open("web1");
  return domain.setVcpus(running && wrong && testing ? 2 : 1, { scope: "both" });
}
`;

const TSCONFIG = {
  compilerOptions: {
    target: "es2022",
    // A browser-less project has its AbortSignal from @types/node, a bare one from here.
    lib: ["es2022", "dom"],
    module: "nodenext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: [],
  },
  files: ["program.ts"],
};

// As it is after `npm run build`, which `npm test` runs first: packed, and installed where nothing else is.
describe("the package, installed in an empty project", () => {
  let folder = "";
  let packed: readonly string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "qmpctl-package-"));
    const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: PROJECT });
    const [tarball] = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
    packed = tarball?.files.map(({ path }) => path) ?? [];
    // zod is linked from here, so that nothing is fetched.
    const dependencies = { qmpctl: `file:${tarball?.filename}`, zod: `file:${join(PROJECT, "node_modules/zod")}` };
    await writeFile(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module", dependencies }));
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
    await writeFile(join(folder, "program.ts"), PROGRAM);
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund"], { cwd: folder });
  }, 60_000);

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("holds what is meant for others, and nothing else", () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        "package.json",
        "LICENSE",
        "dist/index.js",
        "dist/index.d.ts",
        "dist/testing/index.js",
        "dist/cli/main.js",
        "dist/ansible/ansible_collections/qmpctl/qemu/plugins/modules/domain.js",
      ]),
    );
    const strays = packed.filter(
      (path) =>
        !/^(package\.json|LICENSE|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|dist\/cli\/package\.json|dist\/cli\/far-(first|more)\.br|dist\/man\/man1\/qmpctl[a-z-]*\.1|dist\/ansible\/ansible_collections\/qmpctl\/qemu\/(README\.md|.*\.yml)|dist\/.*\.(js|js\.map|d\.ts)|src\/.*\.md|test\/qemu\/README\.md|fixtures\/README\.md|fixtures\/qmp\/.*\.qmp|fixtures\/schema\/.*\.json)$/.test(
          path,
        ),
    );
    expect(strays).toEqual([]);
  });

  test("names each of its manual pages, so that npm puts them where man finds them", async () => {
    const { man } = JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as { readonly man: readonly string[] };
    expect(man.toSorted()).toEqual(packed.filter((path) => path.startsWith("dist/man/")).toSorted());
    expect(man).toContain("dist/man/man1/qmpctl-setmem.1");
  });

  test("has every file that its README, and what that leads to, links to", async () => {
    const linked = async (page: string): Promise<readonly string[]> => {
      const text = await readFile(join(PROJECT, page), "utf8");
      return [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
        .map(([, to = ""]) => to)
        .filter((to) => !/^\w+:/.test(to))
        .map((to) => join(page, "..", to).replace(/\/$/, ""));
    };
    const pages = ["README.md", ...(await linked("README.md")).filter((path) => path.endsWith(".md"))];
    const wanted = new Set((await Promise.all([...new Set(pages)].map(linked))).flat());
    expect(wanted.size).toBeGreaterThan(1);
    expect([...wanted].filter((path) => !packed.some((each) => each === path || each.startsWith(`${path}/`)))).toEqual([]);
  });

  test("tells in an editor nothing that needs another page: no numbers of rules", async () => {
    const texts = await Promise.all(
      packed.filter((path) => path.endsWith(".d.ts")).map(async (path) => [path, await readFile(join(PROJECT, path), "utf8")] as const),
    );
    expect(texts.length).toBeGreaterThan(100);
    expect(texts.flatMap(([path, text]) => (text.match(/.*\bR\d+\b.*/g) ?? []).map((line) => `${path}: ${line.trim()}`))).toEqual([]);
  });

  test("G3: has maps to what was written, so that a stack trace can be read", async () => {
    await writeFile(
      join(folder, "fails.mjs"),
      'import { parseSize } from "qmpctl";\ntry {\n  parseSize("x");\n} catch (error) {\n  console.log(error.stack);\n}\n',
    );
    const { stdout } = await run(process.execPath, ["--enable-source-maps", "fails.mjs"], { cwd: folder });
    expect(stdout).toMatch(/parseSize .*src\/config\/size\.ts:\d+/);
  });

  test("G2: is told at once where Node is too old for it", async () => {
    await writeFile(
      join(folder, "old.cjs"),
      'Object.defineProperty(process.versions, "node", { value: "18.20.4" });\nObject.defineProperty(process, "version", { value: "v18.20.4" });\n',
    );
    const old = join(folder, "old.cjs");
    const command = await run(process.execPath, ["--require", old, join(PROJECT, "dist/cli/main.js"), "list"], { cwd: folder }).catch(
      (error: { stdout: string; stderr: string; code: number }) => error,
    );
    expect(command).toMatchObject({ code: 3, stdout: "", stderr: "qmpctl: Node v18.20.4 is too old: it needs 20.19 or newer\n" });
    const library = await run(
      process.execPath,
      ["--require", old, "--input-type=module", "--eval", 'await import("qmpctl").catch((error) => console.log(error.message))'],
      { cwd: folder },
    );
    expect(library.stdout).toBe("qmpctl: Node v18.20.4 is too old: it needs 20.19 or newer\n");
  });

  test("G2: can be required, too", async () => {
    const { stdout } = await run(
      process.execPath,
      [
        "--eval",
        'const { Domain } = require("qmpctl"); const { startReplay } = require("qmpctl/testing"); console.log(typeof Domain.open, typeof startReplay)',
      ],
      { cwd: folder },
    );
    expect(stdout).toBe("function function\n");
  });

  test("type-checks to the last declaration, without @types/node", async () => {
    const { stdout } = await run(process.execPath, [TSC, "--project", folder], { cwd: folder }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe("");
  });

  test("is imported under both its names", async () => {
    const script =
      'const [one, two] = await Promise.all([import("qmpctl"), import("qmpctl/testing")]); console.log(JSON.stringify([typeof one.connect, typeof one.Domain.open, Object.keys(two).length > 0]))';
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script], { cwd: folder });
    expect(JSON.parse(stdout)).toEqual(["function", "function", true]);
  });

  test("brings the schemas by which its fake server refuses what a release does not take", async () => {
    const script = `
      import { connect } from "qmpctl";
      import { startReplay } from "qmpctl/testing";
      await using server = await startReplay({ answers: { balloon: () => ({}) }, schema: "7.2" });
      await using session = await connect(server.address);
      console.log(await session.execute("balloon", { size: 1 }).catch((error) => error.desc));`;
    await writeFile(join(folder, "fake.ts"), script);
    const { stdout } = await run(process.execPath, ["--import", import.meta.resolve("tsx"), "fake.ts"], { cwd: folder });
    expect(stdout).toBe("Parameter 'value' is missing\n");
  });

  test("brings the command", async () => {
    const { version } = JSON.parse(await readFile(join(PROJECT, "package.json"), "utf8")) as { version: string };
    const offline = { cwd: folder, env: { ...process.env, npm_config_offline: "true" } };
    const { stdout: help } = await run("npx", ["qmpctl", "--help"], offline);
    expect(help).toContain("setvcpus");
    const { stdout } = await run("npx", ["qmpctl", "--version"], offline);
    expect(stdout).toContain(version);
  });
});
