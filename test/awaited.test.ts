import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closing, codeOf, opening } from "./code-text.ts";

/**
 * A promise that is returned where something is disposed of, or caught, at the end of the block has to be awaited there: else the
 * machine is closed before the work on it is done, and the error passes its `catch` by. Text is enough to see it: no types are asked.
 */
const ROOT = new URL("../", import.meta.url).pathname;

/** Places that are to be mended still, without their lines: `src/domain/lifecycle/launch.ts: return start(…)`. To be emptied. */
const TO_BE_MENDED: readonly string[] = [];

/** The name before a place, without its type parameters. */
function nameBefore(code: string, at: number): string {
  return /([#\w$]+)\s*\??\s*(?:<[^()=;]*>)?\s*$/.exec(code.slice(Math.max(0, at - 120), at))?.[1] ?? "";
}

/** Functions and methods that give promises, by their names; members that are promises, with a dot before theirs. */
function promiseNames(code: string): readonly string[] {
  const functions = [
    ...code.matchAll(
      /\basync\s+(?:function\s*)?\*?\s*([#\w$]+)\s*[(<]|\b([\w$]+)\s*(?::|=)\s*async\b|([#\w$]+)\??\s*:\s*\([^()]*\)\s*=>\s*Promise</g,
    ),
  ].map((found) => found[1] ?? found[2] ?? found[3] ?? "");
  const typed = [...code.matchAll(/\)\s*(?::|=>)\s*Promise</g)].map(({ index }) => nameBefore(code, opening(code, index)));
  const members = [...code.matchAll(/([#\w$]+)\??\s*:\s*Promise</g)].map(([, name = ""]) => `.${name}`);
  return [...[...functions, ...typed].filter((name) => name !== "" && !KEYWORDS.has(name)), ...members];
}

/** Functions and members that are known for plain ones. */
function plainNames(code: string): readonly string[] {
  const functions = [...code.matchAll(/(?<!async\s)\bfunction\s+(\w+)|(\w+)\s*:\s*\([^()]*\)\s*=>\s*(?!Promise)/g)].map(
    (found) => found[1] ?? found[2] ?? "",
  );
  return [...functions, ...[...code.matchAll(/([#\w$]+)\??\s*:\s*(?!Promise\b)[\w"]/g)].map(([, name = ""]) => `.${name}`)];
}

const KEYWORDS: ReadonlySet<string> = new Set(["function", "async", "if", "return"]);

/** The parts of an expression of which one is its value: those of `a ? b : c`, `a ?? b`, `a || b`, `a && b`. */
function valuesOf(expression: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < expression.length; at++) {
    const two = expression.slice(at, at + 2);
    if (/[([{]/.test(expression[at] ?? "")) depth++;
    else if (/[)\]}]/.test(expression[at] ?? "")) depth--;
    else if (depth === 0 && (two === "??" || two === "||" || two === "&&" || (/[?:]/.test(expression[at] ?? "") && two !== "?."))) {
      parts.push(expression.slice(from, at));
      from = at + (/[?|&]{2}/.test(two) ? 2 : 1);
      at = from - 1;
    }
  }
  return [...parts, expression.slice(from)].map((part) => part.trim());
}

function isPromise(value: string, names: ReadonlySet<string>): boolean {
  if (/^(?:(?:await|yield\*?|async|void|typeof)(?!\w)|!|[\w$]+\s*=>|\([^()]*\)\s*=>)/.test(value)) return false;
  if (value.startsWith("(") && closing(value, 0) === value.length - 1)
    return valuesOf(value.slice(1, -1)).some((part) => isPromise(part, names));
  if (/^(new\s+Promise\b|Promise\.\w+|import)\s*[(<]/.test(value)) return true;
  // A name by itself is one of a promise only where this file says so; see `own` below.
  if (!value.endsWith(")"))
    return /^[\w$.#?]+$/.test(value) && names.has(value.includes(".") ? `.${nameBefore(value, value.length)}` : `own ${value}`);
  const name = nameBefore(value, opening(value, value.length - 1));
  return names.has(name) || /\.(then|finally)\s*\($/.test(value.slice(0, opening(value, value.length - 1) + 1));
}

interface Block {
  readonly kind: "function" | "try" | "catch" | "other";
  /** Whether something is disposed of, or caught, when the block is left. */
  guards: boolean;
}

function blockAt(code: string, open: number): Block {
  const before = code.slice(Math.max(0, open - 400), open).trimEnd();
  const after = code.slice(closing(code, open) + 1).trimStart();
  if (/\btry$/.test(before)) return { kind: "try", guards: true };
  if (/\bcatch$/.test(before)) return { kind: "catch", guards: after.startsWith("finally") };
  if (before.endsWith("=>")) return { kind: "function", guards: false };
  const parameters = /\)(\s*:\s*[^;{}()]*)?$/.exec(before);
  if (parameters === null) return { kind: "other", guards: false };
  const start = opening(code, code.lastIndexOf(")", open - 1 - (parameters[1]?.length ?? 0)));
  const word = /([\w$]+)\s*$/.exec(code.slice(0, start))?.[1] ?? "";
  if (word === "catch") return { kind: "catch", guards: after.startsWith("finally") };
  return { kind: ["if", "for", "while", "switch", "await"].includes(word) ? "other" : "function", guards: false };
}

/** Every return of a promise that is not awaited where it has to be, with its line. */
function unawaited(text: string, known: ReadonlySet<string>): readonly string[] {
  const code = codeOf(text);
  // What this file says of a name counts for more than what others do.
  const [plain, promises] = [plainNames(code), promiseNames(code)];
  const names = new Set([...known].filter((name) => promises.includes(name) || !plain.includes(name)));
  for (const [, name = "", value = ""] of code.matchAll(/\b(?:const|let)\s+(\w+)(?:\s*:[^=;]+)?\s=\s([^;]*);/g)) {
    if (valuesOf(value).some((part) => isPromise(part, names))) names.add(`own ${name}`);
  }
  const blocks: Block[] = [];
  const found: string[] = [];
  for (const { 0: token, index } of code.matchAll(/[{}]|\b(?:await\s+)?using\s+\w+\s*=|(?<![.\w])return\b/g)) {
    if (token === "{") blocks.push(blockAt(code, index));
    else if (token === "}") blocks.pop();
    else if (token !== "return") (blocks.at(-1) ?? { guards: false }).guards = true;
    else {
      const around = blocks.slice(blocks.findLastIndex(({ kind }) => kind === "function"));
      const expression = returned(code, index + token.length);
      if (!around.some(({ guards }) => guards) || !valuesOf(expression).some((value) => isPromise(value, names))) continue;
      found.push(
        `${code.slice(0, index).split("\n").length}: return${text
          .slice(index + token.length, index + token.length + expression.length)
          .replace(/\s+/g, " ")
          .slice(0, 80)}`,
      );
    }
  }
  return found;
}

function returned(code: string, from: number): string {
  let depth = 0;
  for (let at = from; at < code.length; at++) {
    if (/[([{]/.test(code[at] ?? "")) depth++;
    else if (/[)\]}]/.test(code[at] ?? "") && --depth < 0) return code.slice(from, at);
    else if (code[at] === ";" && depth === 0) return code.slice(from, at);
  }
  return code.slice(from);
}

async function sourcesIn(folder: string): Promise<readonly (readonly [name: string, text: string])[]> {
  const names = (await readdir(join(ROOT, folder), { recursive: true })).filter((name) => name.endsWith(".ts")).sort();
  return Promise.all(names.map(async (name) => [`${folder}/${name}`, await readFile(join(ROOT, folder, name), "utf8")] as const));
}

const sources = (await Promise.all(["src", "scripts"].map(sourcesIn))).flat();
const plain: ReadonlySet<string> = new Set(sources.flatMap(([, text]) => plainNames(codeOf(text)).filter((name) => name.startsWith("."))));
const known: ReadonlySet<string> = new Set(sources.flatMap(([, text]) => promiseNames(codeOf(text))).filter((name) => !plain.has(name)));

test.each(sources)("%s awaits what it returns where something ends with the block", (name, text) => {
  const found = unawaited(text, known).map((place) => `${name}:${place}`);
  expect(found.filter((place) => !TO_BE_MENDED.includes(place.replace(/:\d+/, "")))).toEqual([]);
});

describe("the check of what is awaited catches", () => {
  const work =
    "async function work(): Promise<void> {}\nfunction plan(a: string): Promise<{ readonly b: string }> { return work(); }\nfunction plain(): number { return 1; }\n";
  const faults = (body: string): readonly string[] => unawaited(`${work}${body}`, new Set(promiseNames(codeOf(work))));

  test.each([
    ["a promise returned under await using", "async function f() {\n  await using a = await open();\n  return work();\n}"],
    ["under using", "async function f() { using a = open(); return this.b.work(1, { c: [2] }); }"],
    ["from an inner block", "async function f() { await using a = await open(); if (a) { return plan(`${a} }`); } }"],
    ["in a try with a catch", "async function f() { try { return work(); } catch (error) { throw error; } }"],
    ["in a try with a finally", "function f() { try { return plan('}'); } finally { end(); } }"],
    ["in a catch with a finally", "async function f() { try { await work(); } catch { return work(); } finally { end(); } }"],
    ["as one of two", "async function f() { await using a = await open(); return a.some(({ b }) => b !== null) ? 0 : work(); }"],
    ["as the other one", "async function f() { using a = open(); return a ?? work(); }"],
    ["in brackets", "async function f() { using a = open(); return (a ? work() : 0); }"],
    ["chained", "async function f() { using a = open(); return a.b().then((c) => c); }"],
    ["made by hand", "function f() { using a = open(); return new Promise<void>((resolve) => resolve()); }"],
    ["of several", "function f() { using a = open(); return Promise.all([1]); }"],
    ["by its name", "async function f() { using a = open(); const b = plan(a); return b; }"],
    ["in an arrow function", "const f = async (): Promise<void> => {\n  using a = open();\n  return work();\n};"],
    ["behind a regular expression with a bracket", "async function f() { using a = open(); a.replace(/[{]\\}{/g, ''); return work(); }"],
  ])("%s", (_, body) => {
    expect(faults(body)).toHaveLength(1);
  });

  test.each([
    ["what is awaited", "async function f() { await using a = await open(); return await work(); }"],
    ["what is no promise", "async function f() { using a = open(); return plain(); }"],
    ["what is disposed of in another block", "async function f() { { using a = open(); } return work(); }"],
    [
      "what is disposed of in another function",
      "async function f() { using a = open(); g(() => { return work(); }); const h = async (): Promise<void> => { return work(); }; }",
    ],
    ["what is returned before", "async function f() { if (a) return work(); using a = open(); }"],
    ["a catch that nothing follows", "async function f() { try { await work(); } catch (error) { return work(); } }"],
    ["a function that is returned", "async function f() { using a = open(); return () => work(); }"],
    ["what is only said", "async function f() { using a = open(); /* return work(); */ return 'return work();'; }"],
  ])("but not %s", (_, body) => {
    expect(faults(body)).toEqual([]);
  });
});
