import { HostError } from "../errors.ts";
import { childProcesses, toolEnvironment } from "./programs.ts";

/** The status that flock(1) is told to exit with when the lock is not free in time. It uses this status for nothing else. */
const NOT_FREE = 75;

/**
 * Takes an exclusive lock on an open descriptor by running flock(1) with it as descriptor 3. The lock belongs to the open file, so it stays
 * ours when flock ends. False if it is not free within `timeout` milliseconds; at 0 or below, flock does not wait.
 *
 * @throws HostError when flock can't be run, or fails; the signal's reason as it is
 */
export async function runFlock(fd: number, timeout: number, signal?: AbortSignal): Promise<boolean> {
  signal?.throwIfAborted();
  const waiting = timeout <= 0 ? ["-n"] : ["-w", (timeout / 1000).toFixed(3)];
  const command = ["flock", "-x", ...waiting, "-E", String(NOT_FREE), "3"];
  return new Promise((resolve, reject) => {
    const child = childProcesses().spawn("flock", command.slice(1), { stdio: ["ignore", "ignore", "pipe", fd], env: toolEnvironment() });
    let stderr = "";
    child.stderr?.on("data", (chunk: Uint8Array) => (stderr += chunk.toString()));
    const onAbort = (): void => void child.kill("SIGKILL");
    signal?.addEventListener("abort", onAbort, { once: true });
    child.on("error", (cause) => {
      signal?.removeEventListener("abort", onAbort);
      reject(
        new HostError(
          `flock: ${"code" in cause && cause.code === "ENOENT" ? "there is none on this machine, it comes with util-linux" : cause.message}`,
          { command },
          { cause },
        ),
      );
    });
    child.on("close", (status) => {
      signal?.removeEventListener("abort", onAbort);
      if (signal?.aborted === true) reject(signal.reason);
      else if (status === 0) resolve(true);
      else if (status === NOT_FREE) resolve(false);
      else reject(new HostError(`flock: ${stderr.trim() || `it ended with status ${status}`}`, { command, stderr }));
    });
  });
}
