import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { faultsIn } from "../schema/type-check.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const PAGES: readonly string[] = ["README.md", "src/LIBRARY.md", "src/cli/RECIPES.md", "src/remote/FLEETS.md", "src/testing/README.md"];

interface Example {
  readonly imports: readonly string[];
  readonly body: string;
}

/** The blocks of TypeScript in a page. */
async function examplesIn(page: string): Promise<readonly Example[]> {
  const text = await readFile(join(PROJECT, page), "utf8");
  return [...text.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, block = ""]) => {
    const lines = block.split("\n");
    const imports = lines.filter((line) => line.startsWith("import "));
    return { imports, body: lines.filter((line) => !line.startsWith("import ")).join("\n") };
  });
}

/** The calls that a page names in the middle of a sentence: `startRecorder({ … })`. */
async function callsIn(page: string): Promise<readonly string[]> {
  const text = await readFile(join(PROJECT, page), "utf8");
  return [...text.matchAll(/`((?:start|fake|recording|connect)\w*\([{"][^`…]*\))`/g)].map(([, call = ""]) => call);
}

/** Each name once, from the source. */
function importsOf(examples: readonly Example[]): readonly string[] {
  const names = examples
    .flatMap((it) => it.imports)
    .flatMap((line) => {
      const [, list = "", from = ""] = /^import \{ (.*) \} from "(.*)";$/.exec(line) ?? [];
      return list.split(", ").map((name) => `import { ${name} } from "${from}";`);
    });
  return [...new Set(names)].map((line) =>
    line.replace('"qmpctl"', '"../../src/index.ts"').replace('"qmpctl/testing"', '"../../src/testing/index.ts"'),
  );
}

describe("the examples of the pages", () => {
  it("are right, and so are the calls in their sentences", async () => {
    const examples = (await Promise.all(PAGES.map(examplesIn))).flat();
    const calls = (await Promise.all(PAGES.map(callsIn))).flat();
    expect(examples.length).toBeGreaterThanOrEqual(4);
    expect(calls.length).toBeGreaterThanOrEqual(6);
    const program = [
      ...importsOf(examples),
      'import * as all from "../../src/index.ts";',
      'import * as testing from "../../src/testing/index.ts";',
      ...examples
        .flatMap(({ body }) => ["export async function example(): Promise<void> {", ...body.split("\n"), "}"])
        .map((line, index) => line.replace(/\bexample\(/, `example${index}(`)),
      ...calls.map((call) => `void ${call.startsWith("connect") ? "all" : "testing"}.${call};`),
    ];
    expect(await faultsIn(program, { noUnusedLocals: false })).toEqual([]);
  });

  it("run as they stand, in a project that has nothing else", async () => {
    const folder = await mkdtemp(join(tmpdir(), "qmpctl-readme-"));
    try {
      await mkdir(join(folder, "node_modules"));
      await symlink(PROJECT, join(folder, "node_modules/qmpctl"));
      await symlink(join(PROJECT, "node_modules/vitest"), join(folder, "node_modules/vitest"));
      await cp(join(PROJECT, "fixtures/qmp/7.2.22_x86_64/setmem/1.qmp"), join(folder, "setmem.qmp"));
      const [test, replay] = [...(await examplesIn("src/testing/README.md")), ...(await examplesIn("README.md"))].filter((it) =>
        it.imports.some((line) => line.includes("testing")),
      );
      await writeFile(join(folder, "first.test.ts"), [...(test?.imports ?? []), test?.body].join("\n"));
      await writeFile(
        join(folder, "second.test.ts"),
        [...(replay?.imports ?? []), 'import { test } from "vitest";', `test("it runs", async () => {\n${replay?.body}\n});`].join("\n"),
      );
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [join(PROJECT, "node_modules/vitest/vitest.mjs"), "run", "--reporter", "json"],
        { cwd: folder },
      ).catch((error: { readonly stdout: string }) => error);
      const { testResults } = JSON.parse(stdout) as {
        readonly testResults: readonly {
          readonly message: string;
          readonly assertionResults: readonly { readonly status: string; readonly failureMessages: readonly string[] }[];
        }[];
      };
      expect(
        testResults.flatMap(({ message, assertionResults }) => [
          message,
          ...assertionResults.flatMap((it) => [it.status, ...it.failureMessages]),
        ]),
      ).toEqual(["", "passed", "", "passed"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
