import { open } from "node:fs/promises";
import { kill, umask } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { randomHex } from "../digest.ts";
import { HostError, messageOf } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import { childProcesses, environmentWith, toolEnvironment } from "./programs.ts";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A program that runs in the background, in a session of its own: it outlives us, and no terminal's signals reach it. */
export interface Background {
  readonly pid: number;
  /** Whether a process is it, or was started by it, however far it has gone from it since. */
  started(pid: number): boolean;
  /** Resolves when it has ended, as long as we live. Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** Ends it, and what it has started: asks first, then insists. Resolves when it has ended. */
  end(): Promise<void>;
}

/** Where a program reads and writes what would be on its terminal: `input` is made as a pipe with a name, which never comes to its end. */
export interface ProgramConsole {
  readonly input: string;
  readonly output: string;
}

/** Where a program runs, and where what it says goes. Without a console its stdin is empty, and `output` has its stdout too. */
export interface BackgroundOptions {
  readonly cwd: string;
  readonly output: string;
  readonly console?: ProgramConsole | undefined;
}

/** How long a program may take to end when it was asked to, in milliseconds. */
const GRACE = 2000;

/** What QEMU's own `-daemonize` sets: its sockets and files are not for everybody. */
const UMASK = 0o027;

/**
 * Starts a program in the background, in the folder `cwd`. What it writes on stdout and stderr goes to a new file `output`: it keeps that
 * when we are gone. Without QEMU's
 * `-daemonize`, which its sandbox forbids, and which keeps its words and its exit status from us.
 *
 * @throws Error of the system where it can't be run, with its code: ENOENT, EACCES
 */
export async function startInBackground(program: string, words: readonly string[], options: BackgroundOptions): Promise<Background> {
  const { cwd, output, console } = options;
  await using file = await open(output, "ax", 0o600);
  await using terminal = console === undefined ? undefined : await openConsole(console);
  // What it starts has this in its environment too, also in a session of its own.
  const token = `QMPCTL_START=${randomHex(24)}`;
  const before = umask(UMASK);
  let child: ReturnType<ReturnType<typeof childProcesses>["spawn"]>;
  try {
    const stdio = [terminal?.input ?? "ignore", terminal?.output ?? file.fd, file.fd] as const;
    child = childProcesses().spawn(program, words, { cwd, detached: true, stdio: [...stdio], env: environmentWith(token) });
  } finally {
    umask(before);
  }
  const ended = new Promise<ProgramEnd>((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
  child.on("error", () => {});
  child.unref();
  const pid = child.pid ?? 0;
  const end = async (): Promise<void> => {
    // Now it is waited for: without this we would end ourselves, with status 0, when nothing else is left to do.
    child.ref();
    signalGroup(pid, "SIGTERM");
    if (await isOver(ended, GRACE)) return signalGroup(pid, "SIGKILL");
    signalGroup(pid, "SIGKILL");
    await ended;
  };
  const started = (other: number): boolean => (kernelFileIfThere(`/proc/${other}/environ`) ?? "").split("\0").includes(token);
  return { pid, started, ended, end };
}

interface OpenConsole extends AsyncDisposable {
  readonly input: number;
  readonly output: number;
}

async function openConsole({ input, output }: ProgramConsole): Promise<OpenConsole> {
  await makePipe(input);
  // For reading and writing: who has both ends in one hand waits for nobody, and never reads an end.
  const pipe = await open(input, "r+");
  try {
    const file = await open(output, "ax", 0o600);
    return { input: pipe.fd, output: file.fd, [Symbol.asyncDispose]: async () => void (await Promise.all([pipe.close(), file.close()])) };
  } catch (error) {
    await pipe.close();
    throw error;
  }
}

/** Node can make none. */
function makePipe(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    childProcesses().execFile("mkfifo", ["-m", "600", path], { env: toolEnvironment() }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new HostError(`${path}: ${stderr.trim() || error.message}`));
    });
  });
}

async function isOver(ended: Promise<ProgramEnd>, timeout: number): Promise<boolean> {
  const late = new AbortController();
  try {
    return await Promise.race([ended.then(() => true), wait(timeout, false, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}

/** The program and all that it started: it is the leader of its group. */
function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    kill(-pid, signal);
  } catch (cause) {
    if ((cause as { readonly code?: string }).code !== "ESRCH")
      throw new Error(`process group ${pid}: ${signal} was not sent: ${messageOf(cause)}`, { cause });
  }
}
