import { QmpctlError } from "../errors.ts";

/** One fault in a launch config: where (`memory.max`), the value there, and what would be right. */
export interface ConfigIssue {
  readonly path: string;
  readonly value: unknown;
  readonly expected: string;
}

/**
 * Why a config can't be used.
 *
 * - `missing`: there is none
 * - `exists`: there is one already, and it must not be replaced
 * - `unsafe`: it is not a file of ours that only we can write
 * - `invalid`: it was read, and something in it is wrong: see `issues`
 * - `changed`: somebody else wrote it after it was read
 * - `io`: the system refused: see `cause`
 */
export type ConfigProblem = "missing" | "exists" | "unsafe" | "invalid" | "changed" | "io";

/** A launch config can't be read, used or written. `path` is the file's; `issues` has everything that is wrong in it. */
export class ConfigError extends QmpctlError {
  readonly path: string;
  readonly problem: ConfigProblem;
  readonly issues: readonly ConfigIssue[];

  constructor(path: string, problem: ConfigProblem, why: string | readonly ConfigIssue[], options?: { readonly cause?: unknown }) {
    super("config", `${path}: ${typeof why === "string" ? why : describeIssues(why)}`, options);
    this.path = path;
    this.problem = problem;
    this.issues = typeof why === "string" ? [] : why;
  }
}

/** The most issues in a message: more would not help a reader. `issues` has them all. */
const SHOWN = 20;

function describeIssues(issues: readonly ConfigIssue[]): string {
  const shown = issues.slice(0, SHOWN).map(describeIssue).join("; ");
  return issues.length > SHOWN ? `${shown}; and ${issues.length - SHOWN} more` : shown;
}

function describeIssue({ path, value, expected }: ConfigIssue): string {
  const shown = value === undefined ? "is missing" : `is ${shorten(textOf(value))}`;
  const where = /^[\w.]{1,80}$/.test(path) ? path : shorten(JSON.stringify(path)); // a key may contain anything, also characters that move a terminal's cursor
  return `${path === "" ? "the config" : where} ${shown}, expected ${expected}`;
}

/** JSON would write a number that is not finite as null. */
function textOf(value: unknown): string {
  return typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
