import { geteuid } from "node:process";
import { formatTime, HostError } from "../errors.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/**
 * Runs a tool of systemd's. In a job of cron there is no XDG_RUNTIME_DIR, by which it finds the user's manager. Resolves with its stdout.
 *
 * @throws HostError with systemd's own words when it fails
 */
export function runSystemd(name: string, words: readonly string[], timeout: number): Promise<string> {
  const environment = toolEnvironment();
  const runtime = environment["XDG_RUNTIME_DIR"] ?? `/run/user/${geteuid?.() ?? 0}`;
  const command = [name, ...words];
  return new Promise((resolve, reject) => {
    const options = { timeout, killSignal: "SIGKILL", env: { ...environment, XDG_RUNTIME_DIR: runtime } } as const;
    childProcesses().execFile(name, words, options, (cause, stdout, stderr) => {
      if (cause === null) return resolve(stdout);
      const said = stderr.trim().split("\n").at(-1) ?? "";
      const why = cause.killed === true ? `no end after ${formatTime(timeout)}` : said || `it ended with ${String(cause.code)}`;
      const missing = (cause.code as unknown) === "ENOENT";
      reject(
        new HostError(
          `${command.slice(0, 2).join(" ")}: ${missing ? `there is no ${name} on this machine` : why}`,
          { command, stderr },
          { cause },
        ),
      );
    });
  });
}
