import { messageOf } from "../../errors.ts";
import { parseJson } from "../../wire/json.ts";
import { misuse } from "../options.ts";
import { isForHuman, type Pair } from "../qmp-arguments.ts";
import { piecesOf } from "./pieces.ts";

/** What one line means, or several lines with an open bracket. */
export type Statement =
  | { readonly kind: "nothing" | "exit" | "hmp-mode" | "qmp-mode" }
  | { readonly kind: "help"; readonly topic: string | undefined }
  | { readonly kind: "events"; readonly names: readonly string[] }
  | { readonly kind: "hmp"; readonly line: string }
  | { readonly kind: "request"; readonly request: Readonly<Record<string, unknown>> }
  | {
      readonly kind: "command";
      readonly name: string;
      readonly members: Readonly<Record<string, unknown>> | undefined;
      readonly pairs: readonly Pair[];
    };

/** Which monitor a line is for. */
export type Mode = "qmp" | "hmp";

/** The shell's own commands. No QMP command has such a name. */
export const builtins: Readonly<Record<string, string>> = {
  help: "help [COMMAND|EVENT]: list the commands, or explain one",
  events: "events [on|off|NAME...]: choose which events are shown",
  hmp: "hmp: send all further lines to the human monitor (! sends one line); qmp: switch back",
  exit: "exit, or ^D: leave the shell; QEMU goes on (quit ends QEMU)",
};

const expected = "COMMAND [JSON | KEY=VALUE...]";

/** Reads one statement. @throws UsageError when a word is wrong; the message names it */
export function parseStatement(text: string, mode: Mode = "qmp"): Statement {
  const line = text.trim();
  if (line === "" || line.startsWith("#")) return { kind: "nothing" };
  if (line === "exit") return { kind: "exit" };
  if (line === "qmp" || line === "hmp") return { kind: `${line}-mode` };
  if (mode === "hmp") return { kind: "hmp", line };
  if (line.startsWith("!")) return line.length > 1 ? { kind: "hmp", line: line.slice(1).trim() } : { kind: "hmp-mode" };
  return parseQmp(line);
}

function parseQmp(line: string): Statement {
  const pieces = piecesOf(line);
  const torn = pieces.find(({ open }) => open !== undefined);
  if (torn !== undefined) throw misuse(`${torn.text}: ${torn.open} is never closed`, torn.text, expected);
  const [first = "", ...words] = pieces.map((piece) => piece.text);
  if (first.startsWith("{")) return { kind: "request", request: parseRequest(line) };
  if (first === "help" || first === "?") return { kind: "help", topic: words[0] };
  if (first === "events") return { kind: "events", names: words };
  if (!/^[\w.-]+$/.test(first)) throw misuse(`${first}: not the name of a command`, first, expected);
  const [object, extra] = words;
  if (isForHuman(first, words))
    throw misuse(`${first}: that is a command of the human monitor: write !${[first, ...words].join(" ")}`, first, expected);
  if (object?.startsWith("{") !== true) return { kind: "command", name: first, members: undefined, pairs: words.map(parsePair) };
  if (extra !== undefined) throw misuse(`${extra}: nothing may follow the JSON object`, extra, expected);
  return { kind: "command", name: first, members: parse(object) as Record<string, unknown>, pairs: [] };
}

/** Reads a whole request from JSON. @throws UsageError when it is not one */
export function parseRequest(text: string): Readonly<Record<string, unknown>> {
  const request = parse(text) as Readonly<Record<string, unknown>>;
  if ("execute" in request || "exec-oob" in request) return request;
  throw misuse(`${text}: a request needs "execute" or "exec-oob"`, text, '{"execute": COMMAND, "arguments": {...}}');
}

function parsePair(word: string): Pair {
  const end = word.indexOf("=");
  const key = word.slice(0, Math.max(end, 0));
  if (key.split(".").includes("")) throw misuse(`${word}: not KEY=VALUE`, word, expected);
  return { word, key, value: parseValue(word.slice(end + 1)) };
}

function parseValue(text: string): Pair["value"] {
  if (text.startsWith("'") && text.endsWith("'") && text.length > 1) return { kind: "quoted", text: text.slice(1, -1) };
  if (text.startsWith('"')) return { kind: "quoted", text: String(parse(text)) };
  return text.startsWith("{") || text.startsWith("[") ? { kind: "json", value: parse(text) } : { kind: "plain", text };
}

function parse(text: string): unknown {
  try {
    return parseJson("arguments", text, true);
  } catch (error) {
    throw misuse(`${text}: not JSON: ${messageOf(error)}`, text, expected);
  }
}
