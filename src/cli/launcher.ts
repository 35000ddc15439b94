#!/usr/bin/env node
/**
 * Starts the command line with its code compiled already. Compiling it takes longer than most commands do, and is kept
 * in a folder of our own, never in one that others can write: whoever can write there can make us run his code.
 * What goes wrong with that only costs time.
 */
import { readdirSync, readFileSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import { nodeProblem } from "../node-version.ts";
import { cacheFolder, readPrivate, writePrivate } from "./cache-folder.ts";
import { lazily } from "./lazily.ts";

declare const __dirname: string;
declare const require: (id: string) => object;
/** Tells this build from every other: V8 would take kept code for any text of the same length. */
declare const BUILD: string;

/** How long code of another build is kept, in milliseconds: two that are in use must not take each other's away. */
const UNUSED = 7 * 24 * 3600 * 1000;
/** A process that has lived longer keeps nothing, in seconds: V8 throws away what has not been run for a while. */
const LONG = 60;
const SUFFIX = `-${process.version}.cache`;
const self = process.geteuid?.() ?? -1;
const { sourceMapsEnabled: mapped = false } = process as { readonly sourceMapsEnabled?: boolean };
const problem = nodeProblem(process.version);
if (problem !== undefined) {
  // Before anything else: what is missing in an old Node shows later, as a machine that can't be reached.
  process.stderr.write(`${problem}\n`);
  process.exitCode = 3;
} else start();

function start(): void {
  // The variable is Node's own, for the code that it keeps by itself.
  const folder = process.env["NODE_DISABLE_COMPILE_CACHE"] ? undefined : cacheFolder(join(cacheRoot(), "qmpctl"), self);
  const held = new Map<string, { exports: object }>();
  const compiled = new Map<string, Compiled>();
  // A module of Node, a layer, or as `./LAYER.js:MODULE` one module of it; as `./LAYER.js?MODULE` it is loaded when something of it is
  // used.
  const load = (id: string): object => {
    if (!id.startsWith("./")) return lazily(id, require);
    if (id.includes("?")) return lazily(id.replace("?", ":"), load);
    const colon = id.indexOf(":");
    if (colon > 0) return (loadLayer(id.slice(0, colon)) as Readonly<Record<string, () => object>>)[id.slice(colon + 1)]?.() ?? {};
    return loadLayer(id);
  };
  const loadLayer = (id: string): object => {
    const known = held.get(id);
    if (known !== undefined) return known.exports;
    const layer = { exports: {} };
    held.set(id, layer);
    const path = join(__dirname, id);
    const found = mapped ? undefined : compile(path, cacheFile(folder, id));
    if (found !== undefined) compiled.set(id, found);
    (found?.body ?? bodyWithMap(path))(layer.exports, load, layer, path, __dirname);
    return layer.exports;
  };
  // At the end, when what was used is compiled.
  process.once("exit", (code) => {
    if (folder === undefined || process.uptime() > LONG) return;
    const words = code === 0 ? wordsOf(process.argv.slice(2)) : [];
    const kept = [...compiled].filter(([id, { used }]) => isToKeep(id, code, used, words));
    for (const [id, { script, used = [] }] of kept) {
      const ran = Buffer.from(`\n${[...new Set([...used, ...words])].join(" ")}`);
      writePrivate(cacheFile(folder, id), Buffer.concat([script.createCachedData(), ran]), process.pid);
    }
    if (kept.length > 0) sweep(folder);
  });
  load("./program.js");
}

/** What decides which code of ours is run: the verb and the options. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.filter((word, position) => position === 0 || word.startsWith("--")).map((word) => word.split("=", 1)[0] ?? "");
}

/**
 * Whether a layer is kept, again where a command line has used more of it than those before. A failure has used little of a layer, unless
 * it is the one that tells of failures.
 */
function isToKeep(id: string, code: number, used: readonly string[] | undefined, words: readonly string[]): boolean {
  if (code !== 0 && id !== "./failure.js") return false;
  return used === undefined || words.some((word) => !used.includes(word));
}

function cacheRoot(): string {
  if (self === 0) return "/var/cache";
  try {
    const { env } = process;
    return env["XDG_CACHE_HOME"] ?? join(env["HOME"] ?? (require("node:os") as typeof import("node:os")).homedir(), ".cache");
  } catch {
    return "/nonexistent"; // a user that no list knows, as containers have, has no home
  }
}

function cacheFile(folder: string, id: string): string;
function cacheFile(folder: string | undefined, id: string): string | undefined;
function cacheFile(folder: string | undefined, id: string): string | undefined {
  return folder === undefined ? undefined : join(folder, `${id.slice("./".length, -".js".length)}-${BUILD}${SUFFIX}`);
}

/** A layer as a function. */
type Body = (...values: readonly unknown[]) => void;

/** A layer, its script, and the words whose code was kept; undefined where nothing was. */
interface Compiled {
  readonly body: Body;
  readonly script: Script;
  readonly used: readonly string[] | undefined;
}

function compile(path: string, cache: string | undefined): Compiled {
  const text = readFileSync(path, "utf8");
  const kept = cache === undefined ? undefined : readPrivate(cache, self);
  const end = kept?.lastIndexOf("\n") ?? 0;
  // The text is a function already, as the build has made it: to put one around it here would be to copy it.
  const script = new Script(text, { filename: path, ...(kept === undefined ? {} : { cachedData: kept.subarray(0, end) }) });
  const body = script.runInThisContext() as Body;
  return { body, script, used: script.cachedDataRejected === false ? kept?.toString("utf8", end + 1).split(" ") : undefined };
}

/** As `node --enable-source-maps` wants it: Node reads the map of what its own loader compiles, and of no script. */
function bodyWithMap(path: string): Body {
  const Module = require("node:module") as new (path: string) => { exports: unknown; _compile(text: string, path: string): void };
  const module = new Module(path);
  // Of the same length, so that every column stays what the map says.
  module._compile(readFileSync(path, "utf8").replace("/* a function */ ", "module.exports = "), path);
  return module.exports as Body;
}

/** Takes away what this Node has compiled of builds of old. */
function sweep(folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const isOther = name.endsWith(SUFFIX) && !name.endsWith(`-${BUILD}${SUFFIX}`);
      if (isOther && Date.now() - statSync(path).mtimeMs > UNUSED) unlinkSync(path);
    }
  } catch {
    // Somebody else is at it.
  }
}
