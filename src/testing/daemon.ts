import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { chdir, env, execPath } from "node:process";

/** Set for the process that goes on in the background. It answers its parent on descriptor 3. */
const CHILD = "QMPCTL_STAND_IN";
const ANSWER = 3;

/** Whether this process is the one in the background. */
export function isDaemon(): boolean {
  return env[CHILD] === "daemon";
}

/**
 * Runs this very program once more in the background, in a session of its own, and waits until that one says how it went. Node can't fork.
 * Resolves with the exit status for us, having passed on the other's complaint. `keepStderr`: QEMU keeps its stderr when it has a log (`-D`).
 */
export async function daemonize(script: string, args: readonly string[], keepStderr: boolean, say: (text: string) => void): Promise<number> {
  const child = spawn(execPath, [script, ...args], {
    detached: true,
    stdio: ["ignore", "ignore", keepStderr ? "inherit" : "ignore", "pipe"],
    env: { ...env, [CHILD]: "daemon" },
  });
  const answer = child.stdio[ANSWER] as NodeJS.ReadableStream;
  const ended = new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", reject);
  });
  let text = "";
  for await (const bytes of answer) text += String(bytes);
  if (text === "ready") {
    child.unref();
    return 0;
  }
  say(text);
  return (await ended) || 1;
}

/** The background process has set everything up: its parent may go. From here it holds no folder busy, as QEMU does. */
export function daemonReady(): void {
  if (!isDaemon()) return;
  writeSync(ANSWER, "ready");
  closeSync(ANSWER);
  chdir("/");
}

/** The background process gives up; the parent says why and ends with the same status. */
export function daemonFailed(why: string): void {
  if (isDaemon()) writeSync(ANSWER, why);
}
