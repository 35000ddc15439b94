import { closeSync, constants, fstatSync, openSync, readSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { openFolder, type StatePaths } from "../../config/runtime.ts";
import { HostError, messageOf } from "../../errors.ts";
import type { Caller } from "../machine/caller.ts";
import type { Leg, Outcome, Scope } from "../model/change.ts";

/** What can be done to a machine that its history tells. */
export type Deed = "change" | "recover" | "define" | "start" | "restart" | "shutdown" | "destroy" | "reset" | "suspend" | "resume";

/** One thing that was done to a machine. Times are ISO 8601, in UTC. */
export interface HistoryEntry {
  /** No two entries have the same. */
  readonly key: string;
  readonly what: Deed;
  /** As it was called then. */
  readonly domain: string;
  readonly who: Caller;
  readonly began: string;
  readonly ended: string;
  /** Of a change as in its report; of all else `done` or `failed`. */
  readonly outcome: Exclude<Outcome, "planned" | "refused"> | "done";
  /** Of a change: which halves were asked for, and what became of each. */
  readonly scope?: Scope;
  readonly changes?: readonly HistoryChange[];
  /** How many more changes there were, where they had no room. */
  readonly more?: number;
  /** What else there is to say: why it failed, what ended the machine. */
  readonly about?: string;
  /** Of a recovery: the key of the change that it resolved, where its record has one. */
  readonly recovers?: string;
  /** Nobody asked for this change: a program that goes on by itself, as `balance`, made it. */
  readonly automatic?: true;
}

/** One change of a set, and what became of both halves. */
export interface HistoryChange {
  /** As in tables: `memory`, `vcpu-pin 0`. */
  readonly name: string;
  readonly resource: string;
  readonly static: HistoryHalf;
  readonly dynamic: HistoryHalf;
}

/** One half of a change. */
export type HistoryHalf = Pick<Leg, "outcome" | "before" | "wanted" | "actual">;

/** How large the file may become before a new one is begun, in bytes. The one before it is kept, so there is twice as much. */
export const HISTORY_LIMIT: number = 256 * 1024;
/** The longest line, in bytes; a larger change is told in part. */
const LINE = 16 * 1024;
/** The longest text in it, in UTF-16 units: a device's words can be long. */
const TEXT = 400;

/** The file that was full before this one. */
export function olderHistory(path: string): string {
  return `${path}.1`;
}

/** The file of what nobody asked for: there is much of it, and it must not push out what somebody did. */
export function automaticHistory(path: string): string {
  return `${path}-automatic`;
}

/**
 * Adds a line to the history of a machine, with one write: nobody reads half of two lines. It is not flushed, so it survives our death but
 * no power failure. `mayRotate`: the caller holds the machine's lock.
 *
 * @throws HostError when the system refuses; UnsafeError when the folder is not ours alone
 */
export async function appendHistory({ history, folder }: StatePaths, entry: HistoryEntry, mayRotate = true): Promise<void> {
  const path = entry.automatic === true ? automaticHistory(history) : history;
  if (dirname(path) !== folder) await openFolder(dirname(path));
  const line = lineOf(entry);
  let file = open(path);
  try {
    const { size } = fstatSync(file);
    if (mayRotate && size > 0 && size + line.length > HISTORY_LIMIT) {
      renameSync(path, olderHistory(path));
      closeSync(file);
      file = open(path);
    }
    const text = new TextEncoder().encode(`${endsInLine(file) ? "" : "\n"}${line}`);
    // A disk that fills up takes a part of it, and no error says so.
    if (writeSync(file, text) < text.length) throw new Error("no space left on device");
  } catch (cause) {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  } finally {
    closeSync(file);
  }
}

function open(path: string): number {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const file = openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
  } catch (cause) {
    throw new HostError(`${path}: ${messageOf(cause)}`, {}, { cause });
  }
  throw new HostError(`${path}: not a regular file`);
}

/** A line that was torn, by a full disk or a power failure, must not take the next one with it. */
function endsInLine(file: number): boolean {
  const { size } = fstatSync(file);
  const last = new Uint8Array(1);
  return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last[0] === 0x0a);
}

/** An entry as one line, within its limits. */
function lineOf({ changes = [], ...entry }: HistoryEntry): string {
  const write = (value: unknown): string =>
    JSON.stringify(value, (_, member: unknown) =>
      typeof member === "string" && member.length > TEXT ? `${member.slice(0, TEXT)}…` : member,
    );
  const who = { ...entry.who, program: entry.who.program.slice(0, 12) };
  let room = LINE - write({ ...entry, who }).length;
  const kept = changes.map((each) => ({ each, length: write(each).length + 1 })).filter(({ length }) => (room -= length) > 0);
  const told = kept.map(({ each }) => each);
  const more = changes.length - told.length;
  const full = { ...entry, who, ...(changes.length === 0 ? {} : { changes: told }), ...(more === 0 ? {} : { more }) };
  return `${write(full)}\n`;
}
