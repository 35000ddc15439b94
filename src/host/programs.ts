import { env } from "node:process";
import { builtinModule } from "../builtin-module.ts";

type ChildProcesses = typeof import("node:child_process");

/** Node's own way to run programs, loaded when needed: most programs that import this package never run one. */
export function childProcesses(): ChildProcesses {
  return builtinModule("node:child_process");
}

/**
 * The environment for the host's tools: ours, in the C locale. We parse their output, and loading another locale takes them longer than all
 * their work.
 */
export function toolEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...env, LC_ALL: "C" };
}

/** Our own environment with one more variable (`NAME=VALUE`). */
export function environmentWith(variable: string): Readonly<Record<string, string | undefined>> {
  const [, name = "", value = ""] = /^([^=]*)=(.*)$/s.exec(variable) ?? [];
  return { ...env, [name]: value };
}

/** Takes a variable out of our own environment, for all that is started from now on: its value. */
export function withoutVariable(name: string): string | undefined {
  const value = env[name];
  delete env[name];
  return value;
}

/** Where a program is, as `execvp` finds it: a path is taken as it is, a name is looked up in PATH. `why` says why there is none. */
export function findProgram(program: string): { readonly path: string } | { readonly why: string } {
  const fs = builtinModule("node:fs");
  const places = program.includes("/")
    ? [program]
    : (env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(":").map((folder) => `${folder || "."}/${program}`);
  let why = "there is no such program";
  for (const path of places) {
    const stat = statIfThere(fs, path);
    if (stat === undefined) continue;
    if (stat.isFile() && isExecutable(fs, path)) return { path };
    why = stat.isDirectory() ? "a folder, not a program" : "a file that may not be run";
  }
  return { why };
}

/** A folder of PATH that may not be entered is skipped, as by execvp. */
function statIfThere(fs: typeof import("node:fs"), path: string): import("node:fs").Stats | undefined {
  try {
    return fs.statSync(path);
  } catch {
    return undefined;
  }
}

function isExecutable(fs: typeof import("node:fs"), path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
