import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const PROJECT = new URL("../..", import.meta.url).pathname;

const FAULT = 'export const fault: number = "to show that faults are found";';

/** The faults that tsc finds in a program, which imports from "../../src", each with the line that has it. */
export async function faultsIn(
  lines: readonly string[],
  options: Readonly<Record<string, unknown>> = { types: [] },
): Promise<readonly string[]> {
  // In the project, so that the imports are found; and gone after.
  const folder = await mkdtemp(join(PROJECT, "node_modules/.types-"));
  try {
    await writeFile(join(folder, "program.ts"), [...lines, FAULT].join("\n"));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await writeFile(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../test/tsconfig.json",
        compilerOptions: { rootDir: "../..", ...options },
        include: [],
        files: ["program.ts"],
      }),
    );
    const tsc = [join(PROJECT, "node_modules/typescript/bin/tsc"), "--pretty", "false", "--project", folder];
    const { stdout } = await promisify(execFile)(process.execPath, tsc, { maxBuffer: 2 ** 26 }).catch((error: { stdout: string }) => error);
    const faults = stdout.split("\n").filter((line) => line.includes("error"));
    const last = faults.pop();
    if (!last?.includes(`program.ts(${lines.length + 1},`)) throw new Error(`tsc did not get to the end: ${stdout}`);
    return faults.map((line) => `${line} in ${lines[Number(/\((\d+),/.exec(line)?.[1]) - 1]}`);
  } finally {
    await rm(folder, { recursive: true });
  }
}
