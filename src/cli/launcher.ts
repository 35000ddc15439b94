#!/usr/bin/env node
/**
 * Starts the command line with its code compiled already. Compiling it takes longer than most commands do, and is kept
 * in a folder of our own, never in one that others can write: whoever can write there can make us run his code.
 * What goes wrong with that only costs time.
 */
import { readFileSync } from "node:fs";
import module, { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import { nodeProblem } from "../node-version.ts";
import { cacheFolder, readPrivate, writePrivate } from "./cache-folder.ts";

const PROGRAM = join(__dirname, "program.js");
declare const __dirname: string;

const self = process.geteuid?.() ?? -1;
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };

const problem = nodeProblem(process.version);
if (problem !== undefined) {
  // Before anything else: what is missing in an old Node shows later, as a machine that can't be reached.
  process.stderr.write(`${problem}\n`);
  process.exitCode = 3;
} else {
  const folder = cacheFolder(join(cacheRoot(), "qmpctl"), self);
  if (enableCompileCache === undefined) runCached(folder);
  else {
    if (folder !== undefined) enableCompileCache(folder);
    createRequire(PROGRAM)(PROGRAM);
  }
}

function cacheRoot(): string {
  if (self === 0) return "/var/cache";
  try {
    return process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  } catch {
    return "/nonexistent"; // a user that no list knows, as containers have, has no home
  }
}

/** What Node 22 does by itself: V8 checks that the kept code is of this very text and of this V8. */
function runCached(folder: string | undefined): void {
  const kept = folder === undefined ? undefined : join(folder, `program-${process.version}.cache`);
  const text = readFileSync(PROGRAM, "utf8");
  const cachedData = kept === undefined ? undefined : readPrivate(kept, self);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: PROGRAM,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const held = { exports: {} };
  const body = script.runInThisContext() as (...values: readonly unknown[]) => void;
  body(held.exports, createRequire(PROGRAM), held, PROGRAM, dirname(PROGRAM));
  // At the end, when what was used is compiled.
  if (kept !== undefined && (cachedData === undefined || script.cachedDataRejected === true))
    process.once("exit", () => writePrivate(kept, script.createCachedData(), process.pid));
}
