import { formatTime, HostError } from "../errors.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** Limits of a call: `timeout` is in milliseconds, 5000 unless told. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

/**
 * Runs a program of util-linux to its end.
 *
 * @throws HostError with the program's own words when it fails; the signal's reason as it is
 */
export async function runTool(tool: string, args: readonly string[], { signal, timeout = 5000 }: CallOptions): Promise<void> {
  signal?.throwIfAborted();
  const command = [tool, ...args];
  return new Promise((resolve, reject) => {
    const child = childProcesses().execFile(
      tool,
      args,
      { timeout, killSignal: "SIGKILL", env: toolEnvironment() },
      (cause, _stdout, stderr) => {
        signal?.removeEventListener("abort", onAbort);
        if (signal?.aborted === true) reject(signal.reason);
        else if (cause === null) resolve();
        else reject(new HostError(`${command.join(" ")}: ${whyItFailed(cause, stderr, tool, timeout)}`, { command, stderr }, { cause }));
      },
    );
    const onAbort = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

function whyItFailed(
  cause: Error & { readonly code?: unknown; readonly killed?: boolean },
  stderr: string,
  tool: string,
  timeout: number,
): string {
  if (cause.code === "ENOENT") return `there is no ${tool} on this machine, it comes with util-linux`;
  if (cause.killed === true) return `no end after ${formatTime(timeout)}`;
  const words = stderr.trim().split("\n").at(-1) ?? "";
  return words.replace(`${tool}: `, "") || `it ended with status ${String(cause.code)}`;
}
