import { Buffer } from "node:buffer";
import { connect, type NetConnectOpts, type Socket } from "node:net";
import { onAbort } from "./abort.ts";
import { type Address, checkSocketPath } from "./address.ts";
import { ConnectError } from "./errors.ts";
import { Framer } from "./framing.ts";
import { Inbox } from "./inbox.ts";
import type { Transport } from "./transport.ts";

/** Options of a socket with which the system notices, in its own time, that a peer ended without closing the connection. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 15_000 } as const;

/**
 * All sockets read into this one buffer. Each read is parsed before the next one comes, and what is kept of it is copied. With a new
 * buffer for every read, most of the garbage to collect would be buffers.
 */
const READ = Buffer.allocUnsafeSlow(64 * 1024);

/**
 * Connects to a Unix socket or over plain TCP.
 *
 * @throws ConnectError when nobody listens there or the system refuses; UsageError when a path is too long; the signal's reason as it is
 */
export async function dialSocket(address: Address, peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  if (address.kind === "unix") checkSocketPath(address.path);
  const to: NetConnectOpts =
    address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port, noDelay: true, ...KEEP_ALIVE };
  const intake = new Intake(framer);
  const read = (length: number): boolean => {
    const well = intake.read(READ.subarray(0, length));
    if (!well) socket.destroy();
    return well;
  };
  const socket = connect({ ...to, onread: { buffer: READ, callback: read } });
  return connected(socket, "connect", peer, intake, signal);
}

/** Turns the bytes of a peer into messages, and queues them. */
export class Intake {
  readonly inbox: Inbox = new Inbox();
  readonly #framer: Framer;

  constructor(framer: Framer) {
    this.#framer = framer;
  }

  /** Takes the next bytes. False when they were no messages: nothing more is to be read then, and the iteration ends with the reason. */
  read(bytes: Uint8Array): boolean {
    const { messages, fault } = this.#framer.read(bytes);
    this.inbox.push(messages);
    if (fault !== undefined) this.inbox.end(fault);
    return fault === undefined;
  }

  /** The peer said that it sends nothing more. */
  end(): void {
    const { pending } = this.#framer;
    this.inbox.end(pending > 0 ? new Error(`closed in the middle of a message, after ${pending} bytes of it`) : undefined);
  }
}

/**
 * A transport over a socket that is connecting, as soon as it is connected; `event` is emitted then.
 *
 * @throws ConnectError when the connection fails; the signal's reason as it is
 */
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
        // The system may still report an error of this socket, for which nobody waits any more.
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

/**
 * A transport over a connected socket. The iteration ends when the socket ends, and throws when it breaks. The transport owns the socket
 * from now on. A socket that was made with `onread` emits no data: its maker feeds the `intake`.
 */
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

/** An error of the system as a ConnectError, in our words. */
export function refusal(peer: string, cause: NodeJS.ErrnoException): ConnectError {
  const errno = cause.code;
  const why = errno === undefined ? undefined : REASONS[errno];
  return new ConnectError(peer, why === undefined ? cause.message : `${why} (${errno})`, { errno, cause });
}
