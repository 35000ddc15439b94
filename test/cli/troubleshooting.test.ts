import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { exitCodeOfCode, exitCodes } from "../../src/cli/exit-code.ts";
import * as library from "../../src/index.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const page = await readFile(join(PROJECT, "src/cli/TROUBLESHOOTING.md"), "utf8");

/** The rows of the table below a heading, each as its cells. */
function rowsBelow(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const lines = (section.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) => line.slice(2, -2).split(" | "));
}

const codeIn = (cell = ""): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

describe("the page of troubleshooting", () => {
  let sources = "";
  beforeAll(async () => {
    const names = (await readdir(join(PROJECT, "src"), { recursive: true })).filter((name) => name.endsWith(".ts"));
    sources = (await Promise.all(names.map((name) => readFile(join(PROJECT, "src", name), "utf8")))).join("\n");
  });

  test("has every exit code, and no other", () => {
    expect(rowsBelow("By exit code").map(([code]) => Number(code))).toEqual(exitCodes.map(([code]) => code));
  });

  test("has every code of an error, with its exit code", () => {
    const rows = rowsBelow("By the code of an error").map((cells) => [codeIn(cells[0])[0], Number(cells.at(-1))] as const);
    const [, union = ""] = /export type ErrorCode =([^;]*);/.exec(sources) ?? [];
    expect(rows.map(([code]) => code).toSorted()).toEqual([...union.matchAll(/"([^"]+)"/g)].map(([, code]) => code).toSorted());
    expect(rows.map(([code, exit]) => [code, exit])).toEqual(rows.map(([code]) => [code, exitCodeOfCode(code)]));
  });

  test("has every class of error that the library exports", () => {
    const classes = Object.keys(library).filter((name) => name.endsWith("Error") && name !== "QmpctlError");
    expect(
      rowsBelow("By the code of an error")
        .flatMap((cells) => codeIn(cells[1]))
        .toSorted(),
    ).toEqual(expect.arrayContaining(classes.toSorted()));
  });

  test("has no message that is not said any more", () => {
    const messages = rowsBelow("By message").flatMap(([message]) => codeIn(message));
    expect(messages.length).toBeGreaterThan(30);
    expect(messages.filter((message) => !sources.includes(message))).toEqual([]);
  });
});
