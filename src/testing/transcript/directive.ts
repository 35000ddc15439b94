/** An instruction in a transcript: who speaks, how QEMU ended, or a fault. Written as `#! name arguments`. */
export type Directive =
  /** A client connected. `at` is the time, in seconds since 1970: times in its answers are relative to it. */
  | { readonly name: "connect"; readonly connection: number; readonly monitor: string; readonly at?: number }
  | { readonly name: "on" | "close"; readonly connection: number }
  /** How QEMU ended: an exit status, a signal's name, or empty if that is not known. */
  | { readonly name: "exit"; readonly status: string }
  /** What QEMU wrote on stderr before it failed to start. */
  | { readonly name: "stderr"; readonly text: string }
  /** Milliseconds before the next message. */
  | { readonly name: "delay"; readonly count: number }
  /** From here on, bytes are written in pieces of this size. */
  | { readonly name: "split"; readonly count: number }
  /** After so many bytes of the next message, the connection ends. */
  | { readonly name: "truncate"; readonly count: number }
  /** Bytes that are not a message; each character is one byte. */
  | { readonly name: "garbage"; readonly text: string }
  | { readonly name: "end" | "bytewise" | "whole" | "reset" | "hang" | "pretty" | "compact" | "deaf" };

/** What is wrong with a line. The caller knows which line. */
export class DirectiveError extends Error {}

const PLAIN = ["end", "bytewise", "whole", "reset", "hang", "pretty", "compact", "deaf"] as const;

/**
 * Reads what follows `#!` on a line.
 *
 * @throws DirectiveError when it is no directive
 */
export function parseDirective(text: string): Directive {
  const [, name = "", rest = ""] = /^\s*(\S*)\s*(.*?)\s*$/.exec(text) ?? [];
  const plain = PLAIN.find((it) => it === name);
  if (plain !== undefined) {
    if (rest !== "") throw new DirectiveError(`"${name}" takes nothing, got "${rest}"`);
    return { name: plain };
  }
  switch (name) {
    case "connect":
      return parseConnect(rest);
    case "on":
    case "close":
      return { name, connection: count(name, rest) };
    case "delay":
    case "split":
    case "truncate":
      return { name, count: count(name, rest) };
    case "exit":
      return { name, status: rest };
    case "stderr":
    case "garbage":
      return { name, text: quoted(name, rest) };
    default:
      throw new DirectiveError(`no such directive: "${name}"`);
  }
}

function parseConnect(rest: string): Directive {
  const [, connection = "", monitor = "control", at] = /^(\S*)(?:\s+(\S+))?(?:\s+(\d{1,12}))?$/.exec(rest) ?? [];
  return { name: "connect", connection: count("connect", connection), monitor, ...(at === undefined ? {} : { at: Number(at) }) };
}

function count(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new DirectiveError(`"${name}" takes a whole number, got "${text}"`);
  return Number(text);
}

function quoted(name: string, text: string): string {
  const body = /^"((?:[^"\\]|\\.)*)"$/.exec(text)?.[1];
  if (body === undefined) throw new DirectiveError(`"${name}" takes text in double quotes, got ${text === "" ? "nothing" : text}`);
  return body.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_all, hex: string | undefined, char: string | undefined) =>
    hex !== undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : (SHORT[char ?? ""] ?? char ?? ""),
  );
}

const SHORT: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", 0: "\0" };

/** Writes a directive, without the `#! `. The inverse of `parseDirective`. */
export function formatDirective(directive: Directive): string {
  if ("text" in directive) return `${directive.name} "${escape(directive.text)}"`;
  if (directive.name === "connect")
    return `connect ${directive.connection} ${directive.monitor}${directive.at === undefined ? "" : ` ${directive.at}`}`;
  if ("connection" in directive) return `${directive.name} ${directive.connection}`;
  if ("count" in directive) return `${directive.name} ${directive.count}`;
  return directive.name === "exit" && directive.status !== "" ? `exit ${directive.status}` : directive.name;
}

function escape(text: string): string {
  return text
    .replace(/["\\]/g, "\\$&")
    .replace(/[\0-\x1f\x7f-\xff]/g, (char) => (char === "\n" ? "\\n" : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`));
}
