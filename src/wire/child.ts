import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { HostError } from "../errors.ts";
import type { Framer } from "./framing.ts";
import { Inbox } from "./inbox.ts";
import { refusal, socketTransport } from "./socket.ts";
import type { Transport } from "./transport.ts";

/** How much of what a program writes to its stderr is kept, to be told when it ends. */
const LAST_WORDS = 4096;

/** How long a program has to end, once it was asked to or has closed its stdout, in milliseconds. */
const GRACE = 2000;

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
  /** Asks it to end, insists after two seconds; settles when it has ended. */
  end(): Promise<ChildExit>;
}

/**
 * Runs a program whose stdin and stdout lead to a monitor, as `ssh host socat - UNIX-CONNECT:/run/vm.sock` do: the words as they
 * are, no shell. The connection ends with the program, and the program with the connection. Its stderr is told when it fails.
 */
export async function dialChild(command: readonly string[], peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  const [program = "", ...words] = command;
  const child = spawn(program, words, { stdio: ["pipe", "pipe", "pipe"] });
  const exited = exitOf(child);
  await started(child, peer);
  const inbox = new Inbox();
  child.stdout.on("data", (chunk: Buffer) => {
    const frames = framer.read(chunk);
    inbox.push(frames.messages);
    if (frames.fault !== undefined) inbox.end(frames.fault);
  });
  // A program that says no more but stays is left; one that ends says why.
  child.stdout.once("end", () => {
    const left = setTimeout(() => inbox.end(), GRACE);
    void exited.then(() => clearTimeout(left));
  });
  // Writing to a program that has ended; its exit says more.
  child.stdin.on("error", () => {});
  void exited.then((exit) => inbox.end(failureOf(command, exit)));
  const transport: Transport = {
    peer,
    send: (text) => void child.stdin.write(text),
    async close() {
      inbox.end();
      child.stdin.end();
      await end(child, exited);
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
 * process. `options` are QEMU's own; a chardev `qmpctl` on descriptor 3 is added to them.
 */
export async function spawnMonitored(emulator: string, options: readonly string[]): Promise<ChildMonitor> {
  const peer = `child:${emulator}`;
  const monitor = ["-chardev", "socket,id=qmpctl,fd=3", "-mon", "chardev=qmpctl,mode=control"];
  const child = spawn(emulator, [...options, ...monitor], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  const exited = exitOf(child);
  await started(child, peer);
  const transport = socketTransport(child.stdio[3] as Socket, `${peer}:${child.pid}`);
  return { transport, pid: child.pid as number, exited, end: () => end(child, exited) };
}

function started(child: ChildProcess, peer: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(refusal(peer, cause)));
  });
}

function exitOf(child: ChildProcess): Promise<ChildExit> {
  let lastWords = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (lastWords = (lastWords + text).slice(-LAST_WORDS)));
  child.on("error", () => {});
  return new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal, lastWords: lastWords.trim() }));
  });
}

function end(child: ChildProcess, exited: Promise<ChildExit>): Promise<ChildExit> {
  child.kill();
  const insist = setTimeout(() => child.kill("SIGKILL"), GRACE);
  return exited.finally(() => clearTimeout(insist));
}

function failureOf(command: readonly string[], exit: ChildExit): HostError | undefined {
  if (exit.code === 0) return undefined;
  const how = exit.signal === null ? `ended with ${exit.code}` : `was ended by ${exit.signal}`;
  return new HostError(`${command[0]}: ${how}${exit.lastWords === "" ? "" : `: ${exit.lastWords}`}`, { command, stderr: exit.lastWords });
}
