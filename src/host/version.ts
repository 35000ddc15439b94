import { childProcesses, toolEnvironment } from "./programs.ts";

/** How long a program may take to print its version, in milliseconds. */
const TIMEOUT = 5000;

/** What a program prints for `--version`, its only argument. Null if it can't be run, fails, or does not end in time. */
export function versionOf(program: string): Promise<string | null> {
  const options = {
    cwd: "/",
    env: toolEnvironment(),
    timeout: TIMEOUT,
    killSignal: "SIGKILL",
    maxBuffer: 64 * 1024,
    encoding: "utf8",
  } as const;
  return new Promise((resolve) => {
    const child = childProcesses().execFile(program, ["--version"], options, (error, stdout) => resolve(error === null ? stdout : null));
    child.stdin?.end();
  });
}
