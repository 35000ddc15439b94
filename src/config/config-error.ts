import { QmpctlError } from "../errors.ts";

/** One thing that is wrong in a launch config: where (`memory.max`), what stands there, and what would be right. */
export interface ConfigIssue {
  readonly path: string;
  readonly value: unknown;
  readonly expected: string;
}

/**
 * Why a config can't be used.
 *
 * - `missing`: there is none
 * - `exists`: there is one already, and it is not to be replaced
 * - `unsafe`: not a file of ours that only we can write
 * - `invalid`: it is read, and says something wrong: see `issues`
 * - `changed`: somebody else wrote it since it was read
 * - `io`: the system said no: see `cause`
 */
export type ConfigProblem = "missing" | "exists" | "unsafe" | "invalid" | "changed" | "io";

/** A launch config that can't be read, used or written. `path` is the file's; `issues` names everything that is wrong, at once. */
export class ConfigError extends QmpctlError {
  readonly path: string;
  readonly problem: ConfigProblem;
  readonly issues: readonly ConfigIssue[];

  constructor(path: string, problem: ConfigProblem, why: string | readonly ConfigIssue[], options?: { readonly cause?: unknown }) {
    super("config", `${path}: ${typeof why === "string" ? why : why.map(describeIssue).join("; ")}`, options);
    this.path = path;
    this.problem = problem;
    this.issues = typeof why === "string" ? [] : why;
  }
}

function describeIssue({ path, value, expected }: ConfigIssue): string {
  const shown = value === undefined ? "is missing" : `is ${shorten(JSON.stringify(value) ?? String(value))}`;
  return `${path === "" ? "the config" : path} ${shown}, expected ${expected}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
