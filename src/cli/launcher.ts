#!/usr/bin/env node
/**
 * Starts the command line with its code compiled already. Compiling it takes longer than most commands do, and is kept
 * in a folder of our own, never in one that others can write: whoever can write there can make us run his code.
 * What goes wrong with that only costs time.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import module, { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import { nodeProblem } from "../node-version.ts";

const PROGRAM = join(__dirname, "program.js");
declare const __dirname: string;

const folder = join(cacheRoot(), "qmpctl");
const { enableCompileCache } = module as { enableCompileCache?: (folder: string) => unknown };

const problem = nodeProblem(process.version);
if (problem !== undefined) {
  // Before anything else: what is missing in an old Node shows later, as a machine that can't be reached.
  process.stderr.write(`${problem}\n`);
  process.exitCode = 3;
} else if (enableCompileCache === undefined) runCached();
else {
  enableCompileCache(folder);
  createRequire(PROGRAM)(PROGRAM);
}

function cacheRoot(): string {
  if (process.getuid?.() === 0) return "/var/cache";
  try {
    return process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  } catch {
    return "/nonexistent"; // a user that no list knows, as containers have, has no home
  }
}

/** What Node 22 does by itself: V8 checks that the kept code is of this very text and of this V8. */
function runCached(): void {
  const kept = join(folder, `program-${process.version}.cache`);
  const text = readFileSync(PROGRAM, "utf8");
  const cachedData = read(kept);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: PROGRAM,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const held = { exports: {} };
  const body = script.runInThisContext() as (...values: readonly unknown[]) => void;
  body(held.exports, createRequire(PROGRAM), held, PROGRAM, dirname(PROGRAM));
  // At the end, when what was used is compiled.
  if (cachedData === undefined || script.cachedDataRejected === true) process.once("exit", () => keep(kept, script.createCachedData()));
}

function read(path: string): Buffer | undefined {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(file);
    return found.isFile() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0 ? readFileSync(file) : undefined;
  } finally {
    closeSync(file);
  }
}

function keep(path: string, data: Buffer): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}`;
    writeFileSync(fresh, data, { mode: 0o600, flag: "wx" });
    renameSync(fresh, path);
  } catch {
    // A full disk, a home that can't be written: the next start compiles again.
  }
}
