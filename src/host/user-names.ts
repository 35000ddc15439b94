import { readFileSync } from "node:fs";
import { answerOf } from "./answer.ts";

/** How long the system's lists of users may take to answer, in milliseconds. */
const TIMEOUT = 5000;

/**
 * The names by which users log in, of those of these ids that any list knows. Sources: /etc/passwd; for ids that it has not, as those of
 * LDAP, getent(1).
 */
export async function userNames(ids: readonly number[]): Promise<ReadonlyMap<number, string>> {
  const names = namesIn(passwd());
  const missing = [...new Set(ids)].filter((id) => !names.has(id)).map(String);
  if (missing.length === 0) return names;
  // It ends with 2 if it does not know all of them; what it wrote before is lost then, and these users are shown by their ids.
  const more = await answerOf("getent", ["passwd", ...missing], { timeout: TIMEOUT, limit: 1024 * 1024 }).catch(() => "");
  return new Map([...names, ...namesIn(more)]);
}

function passwd(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch {
    return "";
  }
}

function namesIn(text: string): Map<number, string> {
  const entries = text.split("\n").map((line) => /^([^:]+):[^:]*:(\d+):/.exec(line));
  return new Map(entries.flatMap((entry) => (entry === null ? [] : [[Number(entry[2]), entry[1] ?? ""] as const])));
}
