import { messageOf } from "../errors.ts";
import { parseJson } from "../wire/json.ts";
import { misuse } from "./options.ts";

type Members = Record<string, unknown>;

const expected = "one JSON object, or KEY=VALUE...";

/**
 * The arguments of a QMP command as typed: one JSON object, or `key=value` words; none at all: `undefined`.
 * @throws UsageError that names the word that is neither, or the key that is there twice
 */
export function parseQmpArguments(words: readonly string[]): Members | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  if (first.trimStart().startsWith("{")) {
    if (second !== undefined) throw misuse(`${second}: nothing may follow the JSON object`, second, expected);
    return parseObject(first);
  }
  const members = emptyMembers();
  for (const word of words) setMember(members, word);
  return members;
}

function parseObject(text: string): Members {
  try {
    return parseJson("arguments", text, true) as Members;
  } catch (error) {
    throw misuse(`${text}: not JSON: ${messageOf(error)}`, text, expected);
  }
}

function setMember(members: Members, word: string): void {
  const end = word.indexOf("=");
  const keys = word.slice(0, Math.max(end, 0)).split(".");
  if (keys.includes("")) throw misuse(`${word}: not KEY=VALUE`, word, expected);
  const last = keys.pop() ?? "";
  let inner = members;
  for (const key of keys) {
    const next = (inner[key] ??= emptyMembers());
    if (typeof next !== "object" || next === null || Array.isArray(next)) throw misuse(`${word}: ${key} has a value already`, word, expected);
    inner = next as Members;
  }
  if (last in inner) throw misuse(`${word}: ${last} has a value already`, word, expected);
  inner[last] = parseValue(word.slice(end + 1));
}

// No prototype: a key may be called anything, `__proto__` too.
function emptyMembers(): Members {
  return Object.create(null) as Members;
}

function parseValue(text: string): unknown {
  try {
    return parseJson(text, text, true);
  } catch {
    return text;
  }
}
