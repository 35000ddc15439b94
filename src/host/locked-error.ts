import { formatTime, QmpctlError } from "../errors.ts";
import type { LockHolder } from "./lock-holder.ts";

/**
 * The lock was not free by the deadline. `holder` says who holds it, what for, and since when. The message has the time waited, if there
 * was any.
 */
export class LockedError extends QmpctlError {
  readonly path: string;
  readonly holder: LockHolder;

  constructor(path: string, waited: number, holder: LockHolder) {
    super("locked", `${path}: locked by ${describe(holder)}${waited < 1 ? "" : `, waited ${formatTime(waited)}`}`);
    this.path = path;
    this.holder = holder;
  }
}

function describe({ pid: holder, command, since }: LockHolder): string {
  if (holder === undefined) return "a process that can't be told";
  return `process ${holder}${command === undefined ? "" : ` (${oneLine(command)})`}${since === undefined ? "" : ` since ${since}`}`;
}

/** Shortens a command line, which can be a whole script. */
function oneLine(text: string): string {
  const line = text.replace(/[\s\x00-\x1f\x7f]+/g, " ").trim();
  return line.length > 100 ? `${line.slice(0, 100)}…` : line;
}
