import { Buffer } from "node:buffer";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { onAbort } from "./abort.ts";
import { checkSocketPath, formatAddress, type Target } from "./address.ts";
import { ConnectError } from "./errors.ts";
import { Framer } from "./framing.ts";
import { Inbox } from "./inbox.ts";
import type { Transport } from "./transport.ts";

/**
 * Connects to an address. Rejects with a ConnectError that says why, or with the signal's reason.
 * QEMU serves one client at a time, so being connected does not mean being heard. `framer` is for those who want another limit
 * than the usual, and for peers that frame in a way of their own.
 */
export async function dial(address: Target, signal?: AbortSignal, framer: Framer = new Framer(formatAddress(address))): Promise<Transport> {
  signal?.throwIfAborted();
  const peer = formatAddress(address);
  switch (address.kind) {
    case "unix":
      checkSocketPath(address.path);
      return plain({ path: address.path }, peer, framer, signal);
    case "tcp":
      return plain({ host: address.host, port: address.port, noDelay: true, ...KEEP_ALIVE }, peer, framer, signal);
    // Loaded when asked for: most programs never do.
    case "tls":
      return (await import("./tls.ts")).dialTls(address, peer, framer, signal);
    case "exec":
      return (await import("./child.ts")).dialChild(address.command, peer, framer, signal);
  }
}

/** So that the end of a machine that could not say goodbye is noticed, in the system's own time. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 15_000 } as const;

/**
 * Reads of all sockets go here: each is taken apart before the next one comes, and what is kept of it is copied. A buffer made for
 * every read would be the most of what there is to collect afterwards.
 */
const READ = Buffer.allocUnsafeSlow(64 * 1024);

function plain(to: NetConnectOpts, peer: string, framer: Framer, signal: AbortSignal | undefined): Promise<Transport> {
  const intake = new Intake(framer);
  const read = (length: number): boolean => {
    const well = intake.read(READ.subarray(0, length));
    if (!well) socket.destroy();
    return well;
  };
  const socket = connect({ ...to, onread: { buffer: READ, callback: read } });
  return connected(socket, "connect", peer, intake, signal);
}

/** Bytes as they come, on their way to become messages. */
export class Intake {
  readonly inbox: Inbox = new Inbox();
  readonly #framer: Framer;

  constructor(framer: Framer) {
    this.#framer = framer;
  }

  /** Takes the next bytes. False when nothing more is to be read: they were no messages, and the iteration ends with the reason. */
  read(bytes: Uint8Array): boolean {
    const { messages, fault } = this.#framer.read(bytes);
    this.inbox.push(messages);
    if (fault !== undefined) this.inbox.end(fault);
    return fault === undefined;
  }

  /** The peer said that this was all. */
  end(): void {
    const { pending } = this.#framer;
    this.inbox.end(pending > 0 ? new Error(`closed in the middle of a message, after ${pending} bytes of it`) : undefined);
  }
}

/** A socket that is on its way, once it is there; `event` says so. Errors as for {@link dial}. */
export function connected(
  socket: Socket,
  event: "connect" | "secureConnect",
  peer: string,
  intake: Intake,
  signal?: AbortSignal,
): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      forget?.();
      socket.removeListener(event, arrived);
      socket.removeListener("error", failed);
      act();
    };
    const arrived = (): void => settle(() => resolve(socketTransport(socket, peer, intake)));
    const failed = (cause: NodeJS.ErrnoException): void => settle(() => reject(refusal(peer, cause)));
    const abort = (): void => {
      settle(() => {
        // The system may still report on a socket that nobody waits for any more.
        socket.on("error", () => {});
        socket.destroy();
        reject(signal?.reason as Error);
      });
    };
    const forget = signal === undefined ? undefined : onAbort(signal, abort);
    socket.once(event, arrived);
    socket.once("error", failed);
  });
}

/** A connected socket, its end or its break as the end of the iteration. Takes the socket over; what it reads by itself is not emitted. */
export function socketTransport(socket: Socket, peer: string, intake: Intake = new Intake(new Framer(peer))): Transport {
  const { inbox } = intake;
  const closed = new Promise<void>((resolve) => (socket.closed ? resolve() : void socket.once("close", () => resolve())));
  socket.on("data", (chunk: Buffer) => void (intake.read(chunk) || socket.destroy()));
  socket.on("error", (cause) => inbox.end(cause));
  socket.on("end", () => intake.end());
  socket.on("close", () => inbox.end());
  return {
    peer,
    send(text) {
      if (socket.writable) socket.write(text);
    },
    close() {
      inbox.end();
      socket.destroy();
      return closed;
    },
    [Symbol.asyncIterator]: () => inbox,
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "nobody listens there: no such socket",
  ECONNREFUSED: "nobody listens there: connection refused",
  ENOTSOCK: "that is not a socket",
  EACCES: "no permission",
  EPERM: "no permission",
  ECONNRESET: "the peer took the connection and dropped it",
  EAGAIN: "its queue of clients is full: another one holds this monitor, which serves one at a time, or QEMU is stopped",
  ENOTFOUND: "no such host",
};

/** The system's refusal in our words. */
export function refusal(peer: string, cause: NodeJS.ErrnoException): ConnectError {
  const errno = cause.code;
  const why = errno === undefined ? undefined : REASONS[errno];
  return new ConnectError(peer, why === undefined ? cause.message : `${why} (${errno})`, { errno, cause });
}
