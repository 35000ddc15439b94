import { env, getBuiltinModule } from "node:process";

type ChildProcesses = typeof import("node:child_process");

/** Node's own way to run programs, loaded when needed: most of those who import us never run one. */
export function childProcesses(): ChildProcesses {
  return getBuiltinModule("node:child_process");
}

/** The environment for the host's tools: ours, in the C locale. To load another takes them longer than all that they do, and we read their words. */
export function toolEnvironment(): Readonly<Record<string, string | undefined>> {
  return { ...env, LC_ALL: "C" };
}
