import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { CARRIED } from "../../src/remote/carried-error.ts";

test("the program that is sent has the name of each class of error that travels: nothing else of it keeps its name", () => {
  const parts = ["first", "more"].map((part) => readFileSync(new URL(`../../dist/cli/far-${part}.br`, import.meta.url)));
  const text = parts.map((part) => brotliDecompressSync(part).toString()).join("");
  const named = new Set([...text.matchAll(/\bstatic name="(\w+)"/g)].map(([, name]) => name));
  expect(CARRIED.filter((name) => !named.has(name))).toEqual([]);
});
