import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { program, runProgram } from "./program.ts";

const shell = (script: string) =>
  promisify(execFile)("sh", ["-c", script, process.execPath, program], {
    env: { PATH: process.env["PATH"], NODE_DISABLE_COMPILE_CACHE: "1" },
  });

test("--version is the package's", async () => {
  const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
  expect(await runProgram(["--version"])).toEqual({ code: 0, signal: null, stdout: `qmpctl ${version}\n`, stderr: "" });
});

test("a wrong line: nothing on stdout, 2", async () => {
  expect(await runProgram(["setmem", "web1"])).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringMatching(/^qmpctl: SIZE: missing\nusage: /) as string,
  });
});

test("a domain that there is not: 3, and no stack", async () => {
  const { code, stderr, stdout } = await runProgram(["info", "nobody"], {
    QMPCTL_CONFIG_DIR: "/nonexistent/qmpctl",
    QMPCTL_RUNTIME_DIR: "/nonexistent/qmpctl",
    QMPCTL_STATE_DIR: "/nonexistent/qmpctl",
  });
  expect([code, stdout]).toEqual([3, ""]);
  expect(stderr).toMatch(/^qmpctl: .*\/nonexistent\/qmpctl\/nobody\.json.*\n$/);
});

test("a reader that has gone is no complaint", async () => {
  const { stdout, stderr } = await shell('{ "$0" "$1" help; echo $? >&2; } | true');
  expect([stdout, stderr]).toEqual(["", "0\n"]);
});

test("an answer that could not be written is a failure", async () => {
  await expect(shell('"$0" "$1" help > /dev/full')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^qmpctl: the answer could not be written: ENOSPC/) as string,
  });
});
