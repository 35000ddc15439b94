import { open } from "node:fs/promises";
import { kill, umask } from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { randomHex } from "../digest.ts";
import { HostError, messageOf } from "../errors.ts";
import { kernelFileIfThere } from "./kernel-file.ts";
import { childProcesses, environmentWith, toolEnvironment } from "./programs.ts";

/** How a program ended. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A program that runs in the background, in a session of its own. It outlives us, and signals of a terminal do not reach it. */
export interface Background {
  readonly pid: number;
  /** Whether a process is this program, or was started by it, directly or through others. */
  started(pid: number): boolean;
  /** Resolves when it has ended, if we live that long. Never rejects. */
  readonly ended: Promise<ProgramEnd>;
  /** The same, for a caller that has nothing else to do: as long as it is waited for, our process does not end. */
  wait(): Promise<ProgramEnd>;
  /** Ends it and everything that it started: with SIGTERM, and after two seconds with SIGKILL. Resolves when it has ended. */
  end(): Promise<void>;
}

/**
 * Where a program reads and writes instead of a terminal. `input` is created as a named pipe, and the program never reads an end from it.
 */
export interface ProgramConsole {
  readonly input: string;
  readonly output: string;
}

/** Where a program runs, and where its output goes. Without a console its stdin is empty, and its stdout goes to `output` too. */
export interface BackgroundOptions {
  readonly cwd: string;
  readonly output: string;
  readonly console?: ProgramConsole | undefined;
}

/** How long a program may take to end after SIGTERM, in milliseconds. */
const GRACE = 2000;

/** The mask that QEMU's own `-daemonize` sets: others must not open its sockets and files. */
const UMASK = 0o027;

/**
 * Starts a program in the background, in the folder `cwd`. Its stderr, and without a console its stdout, go to a new file `output`, also
 * after we have ended. This does not use QEMU's `-daemonize`: QEMU's sandbox forbids that, and it would hide QEMU's messages and exit
 * status from us.
 *
 * @throws Error of the system when the program can't be run, with its code: ENOENT, EACCES; HostError when the console's pipe can't be made
 */
export async function startInBackground(program: string, words: readonly string[], options: BackgroundOptions): Promise<Background> {
  const { cwd, output, console } = options;
  await using file = await open(output, "ax", 0o600);
  await using terminal = console === undefined ? undefined : await openConsole(console);
  // Processes that it starts inherit this variable, also those in a session of their own.
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
    // Now we wait for it. Without this, Node would exit with status 0 if nothing else was left to do.
    child.ref();
    signalGroup(pid, "SIGTERM");
    if (await isOver(ended, GRACE)) return signalGroup(pid, "SIGKILL");
    signalGroup(pid, "SIGKILL");
    await ended;
  };
  const started = (other: number): boolean => (kernelFileIfThere(`/proc/${other}/environ`) ?? "").split("\0").includes(token);
  const wait = (): Promise<ProgramEnd> => {
    child.ref();
    return ended;
  };
  return { pid, started, ended, wait, end };
}

interface OpenConsole extends AsyncDisposable {
  readonly input: number;
  readonly output: number;
}

async function openConsole({ input, output }: ProgramConsole): Promise<OpenConsole> {
  await makePipe(input);
  // Opened for reading and writing: opening does not wait for another process, and the program never reads an end of input.
  const pipe = await open(input, "r+");
  try {
    const file = await open(output, "ax", 0o600);
    return { input: pipe.fd, output: file.fd, [Symbol.asyncDispose]: async () => void (await Promise.all([pipe.close(), file.close()])) };
  } catch (error) {
    await pipe.close();
    throw error;
  }
}

/** Node has no function for this. */
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
    return await Promise.race([ended.then(() => true), pause(timeout, false, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}

/** Sends a signal to the program and everything in its process group, which it leads. */
function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    kill(-pid, signal);
  } catch (cause) {
    if ((cause as { readonly code?: string }).code !== "ESRCH")
      throw new Error(`process group ${pid}: ${signal} was not sent: ${messageOf(cause)}`, { cause });
  }
}
