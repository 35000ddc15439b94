import type { Ask, Knowledge } from "./knowledge.ts";
import { humanLines, liveValues } from "./live.ts";
import { piecesOf } from "./pieces.ts";
import type { Given, Type } from "./schema.ts";
import { builtins, type Mode } from "./statement.ts";

/** What readline wants: the possible words, and the part of the line that they replace. */
export type Completion = readonly [readonly string[], string];

/** What completion needs. */
export interface Sight {
  readonly mode: Mode;
  readonly knowledge: Knowledge;
  readonly ask: Ask;
}

/** Completes the last word of a line: commands, arguments, values, and the names of what this QEMU has now. */
export async function complete(line: string, sight: Sight): Promise<Completion> {
  if (sight.mode === "hmp" || line.trimStart().startsWith("!")) return completeHuman(line.replace(/^\s*!/, "").trimStart(), sight.ask);
  const { word, before } = wordAtEnd(line);
  if (word === undefined) return [[], line];
  const schema = await sight.knowledge.schema();
  const [command] = before;
  if (command === undefined) return offer(word, [...(schema?.commands ?? []), ...Object.keys(builtins)], " ");
  if (command === "help" || command === "?")
    return before.length > 1 ? [[], word] : offer(word, [...(schema?.commands ?? []), ...(schema?.events ?? [])], "");
  if (command === "events") return offer(word, [...(schema?.events ?? []), "on", "off"], " ");
  if (before[1]?.startsWith("{") === true || word.startsWith("{")) return [[], word];
  const given = givenBy([...before.slice(1)]);
  const end = word.indexOf("=");
  return end < 0
    ? completeKey(command, word, given, sight)
    : completeValue(command, { key: word.slice(0, end), typed: word.slice(end + 1) }, given, sight);
}

/** The last word, which may be empty, and those before it. No word if the line ends inside brackets. */
function wordAtEnd(line: string): { readonly word: string | undefined; readonly before: readonly string[] } {
  const pieces = piecesOf(line);
  const last = pieces.at(-1);
  if (last?.open === "{" || last?.open === "[") return { word: undefined, before: [] };
  const texts = pieces.map(({ text }) => text);
  if (last === undefined || last.start + last.text.length < line.length) return { word: "", before: texts };
  return { word: last.text, before: texts.slice(0, -1) };
}

function givenBy(words: readonly string[]): Given {
  const values = new Map(
    words.map((word) => [word.slice(0, Math.max(0, word.indexOf("="))), word.slice(word.indexOf("=") + 1).replace(/^(['"])(.*)\1$/, "$2")]),
  );
  return (key) => values.get(key);
}

async function completeKey(command: string, word: string, given: Given, { knowledge }: Sight): Promise<Completion> {
  const path = word.split(".").slice(0, -1);
  const prefix = path.map((key) => `${key}.`).join("");
  const members = await knowledge.members(command, path, given);
  const schema = await knowledge.schema();
  const keys = members.flatMap(({ name, type }) => {
    const key = prefix + name;
    if (given(key) !== undefined) return [];
    const inner = type.kind === "object" || (type.kind === "alternate" && type.of.some((of) => schema?.type(of).kind === "object"));
    const simple = type.kind !== "object";
    return [...(simple ? [`${key}=`] : []), ...(inner ? [`${key}.`] : [])];
  });
  const switches = new Set(members.flatMap(({ name, type }) => (type.kind === "boolean" ? [`${prefix}${name}=`] : [])));
  return offer(word, keys, "", switches);
}

async function completeValue(
  command: string,
  { key, typed }: { readonly key: string; readonly typed: string },
  given: Given,
  { knowledge, ask }: Sight,
): Promise<Completion> {
  const live = await liveValues(ask, { command, key, typed, given });
  // A path may continue after its next step, so no blank is added.
  if (live !== undefined) return offer(typed, live, typed.startsWith("/") ? "" : " ");
  const types = await knowledge.types(command, given);
  return offer(typed, valuesOf(types.typeAt(key.split(".")), types.type), " ");
}

function valuesOf(type: Type | undefined, typeNamed: (name: string) => Type): readonly string[] {
  if (type?.kind === "enum") return type.values;
  if (type?.kind === "boolean") return ["true", "false"];
  return type?.kind === "alternate" ? type.of.flatMap((name) => valuesOf(typeNamed(name), typeNamed)) : [];
}

/** The human monitor lists its commands with `help`, and those of `info` with `help info`, as `name|other ARGS -- what it does`. */
async function completeHuman(line: string, ask: Ask): Promise<Completion> {
  const words = line.split(/\s+/);
  const word = words.at(-1) ?? "";
  if (words.length > 2 || (words.length === 2 && words[0] !== "info" && words[0] !== "help")) return [[], word];
  const names = (await humanLines(ask, words[0] === "info" && words.length === 2 ? "help info" : "help")).flatMap((row) => {
    const name = /^(?:info )?([\w|?-]+)/.exec(row)?.[1];
    return name?.split("|") ?? [];
  });
  return offer(word, names, " ");
}

/** How many words are shown at most. */
const MANY = 250;

/** The common beginning of sorted words. */
function shared(words: readonly string[]): string {
  const [first = "", last = ""] = [words[0], words.at(-1)];
  const differ = [...first].findIndex((char, index) => char !== last[index]);
  return differ < 0 ? first : first.slice(0, differ);
}

/** If only one word fits, `end` follows it. If too many fit, `minor` ones are left out first, such as the 400 switches of a CPU. */
function offer(word: string, candidates: readonly string[], end: string, minor: ReadonlySet<string> = new Set()): Completion {
  const hits = [...new Set(candidates)].filter((candidate) => candidate.startsWith(word)).toSorted();
  const [only] = hits;
  // A list of several screens helps nobody. It is shortened only if the word itself can't be extended.
  if (hits.length > MANY && shared(hits) === word) {
    const major = hits.filter((hit) => !minor.has(hit));
    const shown = (major.length > 0 ? major : hits).slice(0, MANY);
    return [[...shown, `… and ${hits.length - shown.length} more`], word];
  }
  return [hits.length === 1 && only !== undefined && !/[=.]$/.test(only) ? [only + end] : hits, word];
}
