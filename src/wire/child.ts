import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { HostError, messageOf } from "../errors.ts";
import { remember } from "./children.ts";
import { ConnectError } from "./errors.ts";
import { Framer, type FramingOptions } from "./framing.ts";
import { Intake, socketTransport } from "./socket.ts";
import type { Transport } from "./transport.ts";

/** How much of what a program writes to its stderr is kept, to be told when it ends. */
const LAST_WORDS = 4096;

/** How many lines of that fit an error message. */
const LAST_LINES = 3;

/** How long a QEMU has to end, once it was asked to, in milliseconds: it flushes its disks. Also a program that has closed its stdout. */
const GRACE = 2000;

/** How long any other program has: it has nothing to lose. */
const SHORT_GRACE = 1000;

/** How long a program may take to go when it was made to. One that runs as another user, as `sudo` does, can't be made to. */
const LAST_GRACE = 1000;

/** How long the pipes of a program that has ended are read on: others may hold them open for ever, as `ssh` with ControlPersist does. */
const DRAIN = 250;

/** How a program that we started ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of what it wrote to its stderr. */
  readonly lastWords: string;
}

/** A program that we started, and the monitor that leads to it. */
export interface ChildMonitor {
  readonly transport: Transport;
  readonly pid: number;
  /** Resolves when it has ended. Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** Asks it to end, insists after two seconds; settles when it has ended, or can't be made to. */
  end(): Promise<ChildExit>;
}

/**
 * Runs a program whose stdin and stdout lead to a monitor, as `ssh host socat - UNIX-CONNECT:/run/vm.sock` do: the words as they
 * are, no shell. The connection ends with the program, and the program with the connection. Its stderr is told when it fails.
 *
 * It stays in our process group and session, since `ssh` asks for a password on the terminal, which another session has not. So only
 * the program itself is ended by us; those that it started see the end of their input. Nor are they looked for: the connection that
 * `ssh` shares with later ones (ControlPersist) is one of them, and not ours to end. Rejects with a ConnectError when there is no such
 * program, or with the signal's reason.
 */
export async function dialChild(command: readonly string[], peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  const [program = "", ...words] = command;
  const child = await started(() => spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] }), program, peer);
  const { exited, end } = watched(child, SHORT_GRACE);
  const intake = new Intake(framer);
  const { inbox } = intake;
  let spoke = false;
  child.stdout.on("data", (chunk: Buffer) => {
    spoke = true;
    if (!intake.read(chunk)) child.stdout.destroy();
  });
  // A program that says no more but stays is left; one that ends says why.
  child.stdout.once("end", () => {
    const left = setTimeout(() => intake.end(), GRACE);
    void exited.then(() => clearTimeout(left));
  });
  // Writing to a program that has ended; its exit says more.
  child.stdin.on("error", () => {});
  void exited.then((exit) => {
    if (exit.code !== 0 || !spoke) inbox.end(failureOf(command, exit, spoke));
    intake.end();
  });
  const transport: Transport = {
    peer,
    send: (text) => void child.stdin.write(text),
    async close() {
      inbox.end();
      child.stdin.end();
      await end();
    },
    [Symbol.asyncIterator]: () => inbox,
  };
  if (signal?.aborted === true) {
    void transport.close();
    throw signal.reason;
  }
  return transport;
}

/**
 * Runs QEMU with a monitor on a socket pair: no path, no waiting for a socket to appear, no other client, and it is gone with the
 * process. `options` are QEMU's own; a chardev `qmpctl` on descriptor 3 is added to them. `descriptors` are open ones of ours, which
 * it gets as 4, 5, …. Rejects with a ConnectError when there is no such program.
 */
export async function spawnMonitored(
  emulator: string,
  options: readonly string[],
  framing: FramingOptions,
  descriptors: readonly number[],
): Promise<ChildMonitor> {
  const peer = `child:${emulator}`;
  // Before anything is started: a limit that is none is refused here.
  const framer = new Framer(peer, framing);
  // By `-qmp`, as 11.1 warns of `-mon` each time.
  const monitor = ["-chardev", "socket,id=qmpctl,fd=3", "-qmp", "chardev:qmpctl"];
  const child = await started(
    () => spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "pipe", "pipe", ...descriptors] }),
    emulator,
    peer,
  );
  const { exited, end } = watched(child, GRACE);
  const transport = socketTransport(child.stdio[3] as Socket, `${peer}:${child.pid}`, new Intake(framer));
  return { transport, pid: child.pid as number, exited, end };
}

/** What the system says of a program that it can't run, in our words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such program",
  ENOTDIR: "no such program",
  EACCES: "not a program that may be run here",
  ENOEXEC: "not a program that can be run here",
};

/** A program, once it runs. Some reasons why it can't are thrown, and others are told a moment later. */
async function started<Child extends ChildProcess>(start: () => Child, program: string, peer: string): Promise<Child> {
  try {
    const child = start();
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    return child;
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code;
    const why = REASONS[errno ?? ""];
    throw new ConnectError(peer, why === undefined ? `${program}: ${messageOf(cause)}` : `${why}: ${program} (${errno})`, { errno, cause });
  }
}

/** A program from its start to its end. */
function watched(child: ChildProcess, grace: number): Pick<ChildMonitor, "exited" | "end"> {
  let lastWords = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (lastWords = (lastWords + text).slice(-LAST_WORDS)));
  // Also for a signal that we may not send.
  child.on("error", () => {});
  const exited = new Promise<ChildExit>((resolve) => {
    const tell = (code: number | null, signal: string | null): void => resolve({ code, signal, lastWords: lastWords.trim() });
    child.once("close", tell);
    // What came while this process was held up is read before anything is left unread.
    child.once("exit", (code, signal) => setTimeout(() => setImmediate(() => letGo(child, () => tell(code, signal))), DRAIN));
  });
  let ending: Promise<ChildExit> | undefined;
  const end = (): Promise<ChildExit> => (ending ??= ended(child, exited, grace, () => lastWords.trim()));
  remember({ end, kill: () => void child.kill("SIGKILL") }, exited);
  return { exited, end };
}

async function ended(child: ChildProcess, exited: Promise<ChildExit>, grace: number, lastWords: () => string): Promise<ChildExit> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const left = new Promise<ChildExit>((resolve) => {
    const giveUp = (): void => letGo(child, () => resolve({ code: null, signal: null, lastWords: lastWords() }));
    const insist = (): void => {
      child.kill("SIGKILL");
      timer = setTimeout(giveUp, LAST_GRACE);
    };
    timer = setTimeout(insist, grace);
  });
  child.kill();
  try {
    return await Promise.race([exited, left]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is left of a program must not keep this process alive. */
function letGo(child: ChildProcess, tell: () => void): void {
  tell();
  child.unref();
  for (const stream of child.stdio) stream?.destroy();
}

function failureOf(command: readonly string[], exit: ChildExit, spoke: boolean): HostError {
  const how = exit.signal === null ? `ended with ${exit.code}` : `was ended by ${exit.signal}`;
  const when = spoke ? "" : " before it said anything";
  const words = exit.lastWords
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .slice(-LAST_LINES)
    .join("; ");
  return new HostError(`${command[0]}: ${how}${when}${words === "" ? "" : `: ${words}`}`, { command, stderr: exit.lastWords });
}
