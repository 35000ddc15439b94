import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const PROJECT = new URL("../..", import.meta.url).pathname;

const PROGRAM = `
import { connect } from "../../dist/index.js";
import { startReplay } from "../../dist/testing/index.js";
await using server = await startReplay();
await using session = await connect(server.address);
export const running: boolean = (await session.execute("query-status")).running;
await session.execute("blockdev-add", { driver: "qcow2", file: { driver: "file", filename: "/a" } });
`;

/** As it is after `npm run build`, which `npm test` runs first. */
test("the declarations are quick to check: they need no other package's, and a call makes few types", { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(PROJECT, "node_modules/.declarations-"));
  try {
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(join(folder, "program.ts"), PROGRAM);
    const options = {
      target: "es2022",
      lib: ["es2022", "dom", "esnext.disposable"],
      module: "nodenext",
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: [],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
    const tsc = join(PROJECT, "node_modules/typescript/bin/tsc");
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, "--project", folder, "--listFiles", "--extendedDiagnostics"], {
      maxBuffer: 2 ** 24,
    });
    expect(
      stdout.split("\n").filter((line) => line.includes("/node_modules/") && !/\/typescript\b|\.declarations-|@typescript/.test(line)),
    ).toEqual([]);
    // 3,700 when this was written.
    expect(Number(/^Types:\s+(\d+)/m.exec(stdout)?.[1])).toBeLessThan(6000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
