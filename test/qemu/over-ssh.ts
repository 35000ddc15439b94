import { spawn } from "node:child_process";
import { once } from "node:events";
import { deadlineIn } from "../../src/deadline.ts";
import { program } from "../cli/program.ts";

/** How a command line ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that was begun. */
export interface Begun {
  readonly ended: Promise<Ended>;
  /** As Ctrl-C does. */
  interrupt(): void;
}

/** Begins the built program with a program in place of ssh. */
export function beginOver(ssh: string, words: readonly string[]): Begun {
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, QMPCTL_SSH: ssh, NODE_DISABLE_COMPILE_CACHE: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]): Ended => ({ code: code as number | null, stdout, stderr }));
  return { ended, interrupt: () => void child.kill("SIGINT") };
}

/** Looks again until it is so. @throws Error when it is not so within a minute */
export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = deadlineIn(60_000);
  while (!(await isSo())) if (deadline.left() === 0) throw new Error("it is not so after a minute");
}
