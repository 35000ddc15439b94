import type { ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { builtinModule } from "../builtin-module.ts";
import { alarmIn } from "../deadline.ts";
import { HostError, messageOf } from "../errors.ts";
import { remember } from "./children.ts";
import { ConnectError } from "./errors.ts";
import { Framer, type FramingOptions } from "./framing.ts";
import { Intake, socketTransport } from "./socket.ts";
import type { Transport } from "./transport.ts";

/** How much of the end of a program's stderr is kept for an error message, in characters. */
const LAST_WORDS = 4096;

/** How many lines of it go into an error message. */
const LAST_LINES = 3;

/**
 * How long a QEMU may take to end after it was asked to, in milliseconds: it flushes its disks. Also how long a program may stay after it
 * has closed its stdout.
 */
const GRACE = 2000;

/** How long any other program may take, in milliseconds: it has nothing to lose. */
const SHORT_GRACE = 1000;

/** How long a program may take to end after SIGKILL, in milliseconds. We can't kill one that runs as another user, as `sudo` does. */
const LAST_GRACE = 1000;

/**
 * How long the pipes of an ended program are still read, in milliseconds. Others may hold them open for ever, as `ssh` with ControlPersist
 * does.
 */
const DRAIN = 250;

/** How a program that we started ended. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The end of its stderr. */
  readonly lastWords: string;
}

/** A program that we started, and the monitor that leads to it. */
export interface ChildMonitor {
  readonly transport: Transport;
  readonly pid: number;
  /** Resolves when it has ended. Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** Sends SIGTERM, and SIGKILL after two seconds. Resolves when the program has ended, or when it can't be killed. */
  end(): Promise<ChildExit>;
}

/**
 * Runs a program whose stdin and stdout lead to a monitor, as `ssh host socat - UNIX-CONNECT:/run/vm.sock` do. The words are passed as they
 * are, without a shell. The program ends with the connection, and the connection with the program. If it fails, the error has the end of
 * its stderr.
 *
 * The program stays in our process group and session, because `ssh` asks for a password on the terminal, and another session has no
 * terminal. So we end only the program itself; the programs that it started see the end of their input. We do not look for those: one of
 * them may be the connection that `ssh` shares with later calls (ControlPersist), and it is not ours to end.
 *
 * @throws ConnectError when there is no such program, or it can't be run; the signal's reason as it is
 */
export async function dialChild(command: readonly string[], peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  const [program = "", ...words] = command;
  const { spawn } = builtinModule("node:child_process");
  const child = await started(() => spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] }), program, peer);
  const { exited, end } = watched(child, SHORT_GRACE);
  const intake = new Intake(framer);
  const { inbox } = intake;
  let spoke = false;
  child.stdout.on("data", (chunk: Buffer) => {
    spoke = true;
    if (!intake.read(chunk)) child.stdout.destroy();
  });
  // A program that closes its stdout and stays is given up after a while; one that ends has its exit status reported.
  child.stdout.once("end", () => {
    const left = setTimeout(() => intake.end(), GRACE);
    void exited.then(() => clearTimeout(left));
  });
  // Writing to an ended program fails; its exit status says more.
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
 * Runs QEMU with a monitor on a socket pair: there is no path, nothing to wait for, and no other client, and the monitor is gone with the
 * process. `options` are QEMU's own; a chardev `qmpctl` on descriptor 3 is added to them. `descriptors` are open descriptors of ours, which
 * QEMU gets as 4, 5, ….
 *
 * @throws ConnectError when there is no such program, or it can't be run; UsageError when the message limit is not valid
 */
export async function spawnMonitored(
  emulator: string,
  options: readonly string[],
  framing: FramingOptions,
  descriptors: readonly number[],
): Promise<ChildMonitor> {
  const peer = `child:${emulator}`;
  // Made first, so that a message limit that is not valid is refused before anything is started.
  const framer = new Framer(peer, framing);
  // With `-qmp`, because QEMU 11.1 warns about `-mon` each time.
  const monitor = ["-chardev", "socket,id=qmpctl,fd=3", "-qmp", "chardev:qmpctl"];
  const { spawn } = builtinModule("node:child_process");
  const child = await started(
    () => spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "pipe", "pipe", ...descriptors] }),
    emulator,
    peer,
  );
  const { exited, end } = watched(child, GRACE);
  const transport = socketTransport(child.stdio[3] as Socket, `${peer}:${child.pid}`, new Intake(framer));
  return { transport, pid: child.pid as number, exited, end };
}

/** A program that we started, for a conversation that is not QMP. */
export interface Conversation extends Pick<ChildMonitor, "exited" | "end"> {
  write(words: string | Uint8Array): void;
  /** Says that nothing more is written. */
  finish(): void;
  /** Hears what is said from now on; those who heard before hear no more. */
  listen(heard: (chunk: Uint8Array) => void, ended: () => void): void;
}

/**
 * Runs a program to talk with it by its stdin and stdout. It has a session of its own: Ctrl-C on our terminal is for us, and what we make
 * of
 * it has to be said over this very program. It can't ask anybody for anything there.
 *
 * @throws ConnectError when there is no such program, or it can't be run
 */
export async function converse(command: readonly string[], peer: string): Promise<Conversation> {
  const [program = "", ...words] = command;
  const { spawn } = builtinModule("node:child_process");
  const child = await started(() => spawn(program, words, { stdio: ["pipe", "pipe", "pipe"], detached: true }), program, peer);
  // Writing to an ended program fails; its exit status says more.
  child.stdin.on("error", () => {});
  return {
    write: (words) => void child.stdin.write(words),
    finish: () => void child.stdin.end(),
    listen(heard, ended) {
      child.stdout.removeAllListeners("data").removeAllListeners("end");
      child.stdout.on("data", heard).once("end", ended);
    },
    ...watched(child, SHORT_GRACE),
  };
}

/** The system's errors for a program that can't be run, in our words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such program",
  ENOTDIR: "no such program",
  EACCES: "not a program that may be run here",
  ENOEXEC: "not a program that can be run here",
};

/** A program once it runs. Node throws some of the reasons why it can't run, and reports others a moment later. */
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

/** Watches a program from its start to its end. */
function watched(child: ChildProcess, grace: number): Pick<ChildMonitor, "exited" | "end"> {
  let lastWords = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (lastWords = (lastWords + text).slice(-LAST_WORDS)));
  // Also emitted when we may not send it a signal.
  child.on("error", () => {});
  const exited = new Promise<ChildExit>((resolve) => {
    const tell = (code: number | null, signal: string | null): void => resolve({ code, signal, lastWords: lastWords.trim() });
    child.once("close", tell);
    // Output that arrived while this process was held up is read before the pipes are closed.
    child.once("exit", (code, signal) => void alarmIn(DRAIN, () => letGo(child, () => tell(code, signal))));
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

/** Closes our ends of a program's pipes, so that they do not keep this process alive. */
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
