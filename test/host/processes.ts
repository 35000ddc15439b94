import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

/** A Node process of the test's own that runs this module text and has said its first line; it is killed after the test. */
export interface OwnProcess {
  readonly pid: number;
  /** The first line that it said. */
  readonly said: string;
  /** Kills it and waits until it is gone. */
  kill(): Promise<void>;
}

/** Runs module text in a Node process and waits for the first line that it prints. */
export async function runModule(text: string): Promise<OwnProcess> {
  return started(spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", text], { stdio: ["pipe", "pipe", "inherit"] }));
}

/** Runs a program and waits for the first line that it prints. */
export async function runProgram(program: string, ...args: readonly string[]): Promise<OwnProcess> {
  return started(spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] }));
}

async function started(child: ChildProcess): Promise<OwnProcess> {
  const ended = once(child, "close");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  onTestFinished(kill);
  const said = await firstLine(child);
  return { pid: child.pid ?? 0, said, kill };
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = "";
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const [line, rest] = text.split("\n");
    if (line !== undefined && rest !== undefined) return line;
  }
  throw new Error(`it ended and said no line, only ${JSON.stringify(text)}`);
}
