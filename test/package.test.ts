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
    expect(packed).toEqual(expect.arrayContaining(["package.json", "LICENSE", "dist/index.js", "dist/index.d.ts", "dist/testing/index.js", "dist/cli/main.js"]));
    const strays = packed.filter((path) => !/^(package\.json|LICENSE|README\.md|CHANGELOG\.md|dist\/cli\/package\.json|dist\/.*\.(js|d\.ts)|fixtures\/qmp\/.*\.qmp|fixtures\/schema\/.*\.json)$/.test(path));
    expect(strays).toEqual([]);
  });

  test("type-checks to the last declaration, without @types/node", async () => {
    const { stdout } = await run(process.execPath, [TSC, "--project", folder], { cwd: folder }).catch((error: { stdout: string }) => error);
    expect(stdout).toBe("");
  });

  test("is imported under both its names", async () => {
    const script = 'const [one, two] = await Promise.all([import("qmpctl"), import("qmpctl/testing")]); console.log(JSON.stringify([typeof one.connect, typeof one.Domain.open, Object.keys(two).length > 0]))';
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
