import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** A Node process of the test's own that runs this module text and has said its first line; it is killed after the test. */
export interface OwnProcess {
  readonly pid: number;
  /** The first line that it said. */
  readonly said: string;
  /** Kills it and waits until it is gone. */
  kill(): Promise<void>;
}

const here = createRequire(import.meta.url);
const { build } = createRequire(here.resolve("tsx/package.json"))("esbuild") as {
  build(options: Readonly<Record<string, unknown>>): Promise<unknown>;
};

/**
 * Runs module text, which may import by path, in a Node process and waits for the first line that it prints. The text is also its last
 * argument.
 * `under`: a program, and its arguments, that starts Node in its own place (`prlimit`).
 * Bundled before: a process that has to load TypeScript itself takes four times as long to start.
 */
export async function runModule(text: string, ...under: readonly string[]): Promise<OwnProcess> {
  const folder = await mkdtemp(join(tmpdir(), "qmpctl-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const outfile = join(folder, "module.mjs");
  const stdin = { contents: text, resolveDir: dirname(fileURLToPath(import.meta.url)) };
  await build({ stdin, outfile, bundle: true, platform: "node", format: "esm", target: "node20", logLevel: "warning" });
  const [program = process.execPath, ...args] = [...under, process.execPath, outfile, text];
  return started(spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] }));
}

/** Runs a program and waits for the first line that it prints. */
export async function runProgram(program: string, ...args: readonly string[]): Promise<OwnProcess> {
  return started(spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] }));
}

/** What a stand-in does, and for whom. */
export interface StandInOptions {
  /** Program text; it has to say a line. Without, it does nothing. */
  readonly does?: string;
  /** The user that it runs as. */
  readonly uid?: number;
  readonly cwd?: string;
}

/**
 * A process that /proc shows with this command line, QEMU's program first: it stands for a QEMU. Node behind it takes words of its own, up
 * to the first that is no
 * option: QEMU would take them for an option and a disk image.
 */
export async function runStandIn(
  argv: readonly string[],
  { does = "console.log('up'); process.stdin.resume()", uid, cwd }: StandInOptions = {},
): Promise<OwnProcess> {
  const [argv0 = "", ...words] = argv;
  const options = { argv0, ...(uid === undefined ? {} : { uid, gid: uid }), ...(cwd === undefined ? {} : { cwd }) };
  // Another user may not be let at the Node that runs this.
  const [program, ...own] = uid === undefined ? [process.execPath, "-e", does] : ["/bin/sh", "-c", "echo up; read -r end"];
  return started(spawn(program ?? "", [...own, "stand-in.img", ...words], { ...options, stdio: ["pipe", "pipe", "inherit"] }));
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
