import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { messageOf, QmpctlError } from "../../errors.ts";
import { type Directive, DirectiveError, formatDirective, parseDirective } from "./directive.ts";

/**
 * One line of a transcript. `line` counts from 1. The text of a comment is the whole line (empty for a blank line), that of a message its
 * JSON.
 */
export type Entry = { readonly line: number } & (
  { readonly kind: "comment" | "client" | "server"; readonly text: string } | { readonly kind: "directive"; readonly directive: Directive }
);

/** One run of a QEMU, as recorded on its monitors. */
export interface Transcript {
  /** Its name in messages: the file's path, as given. */
  readonly name: string;
  /** The `# key: value` lines at the top: `qemu`, `arch`, `command`, `recorded`. */
  readonly provenance: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
}

/** A transcript that can't be read: it is damaged, cut, or not a transcript. The message begins with `FILE:LINE: `. */
export class TranscriptError extends QmpctlError {
  readonly file: string;
  readonly line: number;

  constructor(file: string, line: number, why: string, options?: { readonly cause?: unknown }) {
    super("config", `${file}:${line}: ${why}`, options);
    this.file = file;
    this.line = line;
  }
}

/**
 * Reads a transcript from a file.
 *
 * @throws TranscriptError when it can't be read
 */
export async function readTranscript(path: string): Promise<Transcript> {
  try {
    return parseTranscript(await readFile(path, "utf8"), path);
  } catch (error) {
    if (error instanceof TranscriptError) throw error;
    throw new TranscriptError(
      path,
      0,
      (error as { readonly code?: string }).code === "ENOENT" ? "there is no such file" : `can't be read: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/**
 * Reads a transcript from text: lines with `-> ` are the client's, `<- ` QEMU's, `#! ` directives, and other `#` lines comments. It must
 * end with `#! exit` (QEMU ended) or `#! end` (the recording did), so that a file that was cut at a line's end is noticed.
 *
 * @throws TranscriptError when a line can't be read, or the end is missing
 */
export function parseTranscript(text: string, name = "transcript"): Transcript {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const entries = lines.map((line, index) => parseLine(line.replace(/\r$/, ""), index + 1, name));
  const last = entries.findLast((entry) => entry.kind !== "comment");
  const closed = last?.kind === "directive" && (last.directive.name === "end" || last.directive.name === "exit");
  if (!closed) throw new TranscriptError(name, lines.length, 'ends without "#! end" or "#! exit": it was cut');
  return { name, provenance: provenanceOf(entries), entries };
}

function parseLine(text: string, line: number, name: string): Entry {
  if (text.startsWith("#!")) {
    try {
      return { kind: "directive", line, directive: parseDirective(text.slice(2)) };
    } catch (error) {
      if (!(error instanceof DirectiveError)) throw error;
      throw new TranscriptError(name, line, error.message);
    }
  }
  if (text.startsWith("#") || text.trim() === "") return { kind: "comment", line, text };
  const [, arrow, message = ""] = /^(->|<-) (.*)$/.exec(text) ?? [];
  if (arrow === undefined) throw new TranscriptError(name, line, `neither "-> ", "<- " nor "#": ${shorten(text)}`);
  const fault = faultOf(message, arrow === "<-");
  if (fault !== undefined) throw new TranscriptError(name, line, `${fault}: ${shorten(message)}`);
  return { kind: arrow === "->" ? "client" : "server", line, text: message };
}

function faultOf(message: string, fromServer: boolean): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(message);
  } catch {
    return "not a whole JSON message";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "not a JSON object";
  const words = fromServer ? ["QMP", "return", "error", "event"] : ["execute", "exec-oob"];
  return words.some((word) => Object.hasOwn(value, word)) ? undefined : `has none of ${words.join(", ")}`;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function provenanceOf(entries: readonly Entry[]): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of entries) {
    if (entry.kind !== "comment") break;
    const [, key, value] = /^# ([a-z-]+): (.*)$/.exec(entry.text) ?? [];
    if (key !== undefined && value !== undefined) found[key] = value;
  }
  return found;
}

/** Writes a transcript as text. `parseTranscript` returns the same entries. */
export function formatTranscript(transcript: Pick<Transcript, "entries">): string {
  return transcript.entries.map((entry) => `${formatEntry(entry)}\n`).join("");
}

function formatEntry(entry: Entry): string {
  switch (entry.kind) {
    case "comment":
      return entry.text;
    case "client":
      return `-> ${entry.text}`;
    case "server":
      return `<- ${entry.text}`;
    case "directive":
      return `#! ${formatDirective(entry.directive)}`;
  }
}

/** Where an entry is, for messages: `wire-basics.qmp:12`, `10.0.13_x86_64/setmem/1.qmp:12`. */
export function placeOf(transcript: Pick<Transcript, "name">, line: number): string {
  // A number alone does not tell which recording: the runs of a machine are in a folder of their own.
  const folders = /^\d+\.qmp$/.test(basename(transcript.name)) ? 3 : 1;
  return `${transcript.name.split("/").slice(-folders).join("/")}:${line}`;
}
