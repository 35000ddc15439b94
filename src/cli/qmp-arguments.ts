import { messageOf } from "../errors.ts";
import { parseJson } from "../wire/json.ts";
import { misuse } from "./options.ts";

/** Arguments of a command. Those that we make have no prototype, because a key may have any name, even `__proto__`. */
export type Members = Record<string, unknown>;

const expected = "one JSON object, or KEY=VALUE...";

/**
 * The arguments of a QMP command as typed: one JSON object, or `key=value` words. `undefined` if there are none.
 * @throws UsageError when a word is neither, or a key is there twice
 */
export function parseQmpArguments(words: readonly string[]): Members | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  if (first.trimStart().startsWith("{")) {
    if (second !== undefined) throw misuse(`${second}: nothing may follow the JSON object`, second, expected);
    return parseObject(first);
  }
  const members = emptyMembers();
  for (const word of words) {
    const end = word.indexOf("=");
    setMember(members, { word, key: word.slice(0, Math.max(end, 0)) }, jsonOrText(word.slice(end + 1)));
  }
  return members;
}

/** One `key=value`. The value may be quoted, which makes it a string, or JSON. */
export interface Pair {
  readonly word: string;
  readonly key: string;
  readonly value: { readonly kind: "plain" | "quoted"; readonly text: string } | { readonly kind: "json"; readonly value: unknown };
}

/** The same words for a reader that knows the types of the command. `parseQmpArguments` must have accepted them. */
export function pairsOf(words: readonly string[]): readonly Pair[] {
  return words.map((word): Pair => {
    const end = word.indexOf("=");
    const [key, text] = [word.slice(0, end), word.slice(end + 1)];
    const value = /^["[{]/.test(text) ? jsonOrText(text) : undefined;
    if (typeof value === "object" && value !== null) return { word, key, value: { kind: "json", value } };
    return { word, key, value: typeof value === "string" && value !== text ? { kind: "quoted", text: value } : { kind: "plain", text } };
  });
}

/** Whether the meaning depends on the command's types: `value=300M`, `up=on`, and list members by number. */
export function needTypes(pairs: readonly Pair[]): boolean {
  return pairs.some(
    ({ key, value }) => /(^|\.)\d+(\.|$)/.test(key) || (value.kind === "plain" && /^(\d[\d.]*[a-z]+|on|off)$/i.test(value.text)),
  );
}

function parseObject(text: string): Members {
  try {
    return parseJson("arguments", text, true) as Members;
  } catch (error) {
    throw misuse(`${text}: not JSON: ${messageOf(error)}`, text, expected);
  }
}

/** Sets a member by its dotted key. @throws UsageError when the key is not valid, or has a value already */
export function setMember(members: Members, { word, key }: { readonly word: string; readonly key: string }, value: unknown): void {
  const keys = key.split(".");
  if (keys.includes("")) throw misuse(`${word}: not KEY=VALUE`, word, expected);
  const last = keys.pop() ?? "";
  let inner = members;
  for (const each of keys) {
    const next = (inner[each] ??= emptyMembers());
    if (typeof next !== "object" || next === null || Array.isArray(next))
      throw misuse(`${word}: ${each} has a value already`, word, expected);
    inner = next as Members;
  }
  if (last in inner) throw misuse(`${word}: ${last} has a value already`, word, expected);
  inner[last] = value;
}

/** No members yet, and no prototype. */
export function emptyMembers(): Members {
  return Object.create(null) as Members;
}

/** What a word means if its type is not known: JSON if it is valid JSON, else a string. */
export function jsonOrText(text: string): unknown {
  try {
    return parseJson(text, text, true);
  } catch {
    return text;
  }
}

/** Commands of the human monitor that QMP does not have. */
const HUMAN: ReadonlySet<string> = new Set([
  "info",
  "savevm",
  "loadvm",
  "delvm",
  "sendkey",
  "drive_add",
  "hostfwd_add",
  "hostfwd_remove",
  "gdbserver",
  "boot_set",
]);

/** Whether a command and its arguments are a line for the human monitor. */
export function isForHuman(command: string, words: readonly string[]): boolean {
  return HUMAN.has(command) && words.every((word) => !word.includes("=") && !word.startsWith("{"));
}
