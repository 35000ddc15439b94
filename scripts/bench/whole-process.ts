/// <reference lib="esnext.disposable" />
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, ftruncateSync, openSync, readFileSync, readSync } from "node:fs";
import { timed } from "./measure.ts";

/** Where a program that is measured writes, and what it wrote. */
export interface Output extends Disposable {
  readonly end: number;
  read(): string;
}

/** A file to write into, for programs that say much. */
export class OutputFile implements Output {
  readonly end: number;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.end = openSync(path, "a");
  }

  /** What was written into it, once. */
  read(): string {
    const text = readFileSync(this.#path, "utf8");
    ftruncateSync(this.end);
    return text;
  }

  [Symbol.dispose](): void {
    closeSync(this.end);
  }
}

/**
 * A pipe as a shell makes one, for programs to write into: what Node calls a pipe is a socket. It holds 64 KiB, more than is written here.
 */
export class Pipe implements Output {
  readonly #start: number;
  readonly end: number;

  constructor(path: string) {
    execFileSync("mkfifo", [path]);
    this.#start = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.end = openSync(path, constants.O_WRONLY);
  }

  /** What was written into it. */
  read(): string {
    const buffer = Buffer.alloc(64 * 1024);
    try {
      return buffer.toString("utf8", 0, readSync(this.#start, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return "";
      throw error;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#start);
    closeSync(this.end);
  }
}

/** What a process that is measured has around it. */
export interface Around {
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
  /** How it is to end. */
  readonly status?: number;
}

/**
 * A whole process that writes into a pipe, from its start to its end, in milliseconds. @throws Error when it ends as it should not
 */
export function wholeProcess(command: readonly string[], { env, output, status = 0 }: Around): () => Promise<number> {
  const [program = "", ...words] = command;
  return async () => {
    let code: number | null = null;
    const time = await timed(async () => {
      const child = spawn(program, words, { stdio: ["ignore", output.end, output.end], env });
      [code] = (await once(child, "close")) as [number | null];
    });
    const said = output.read();
    if (code !== status) throw new Error(`${command.join(" ")}: it ended with ${String(code)}: ${said.trim()}`);
    return time;
  };
}
