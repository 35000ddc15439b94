import { connect, type Socket } from "node:net";
import { onAbort } from "./abort.ts";
import { checkSocketPath, formatAddress, type Target } from "./address.ts";
import { ConnectError } from "./errors.ts";
import { Framer } from "./framing.ts";
import { Inbox } from "./inbox.ts";
import type { Transport } from "./transport.ts";

/**
 * Connects to an address. Rejects with a ConnectError that says why, or with the signal's reason.
 * QEMU serves one client at a time, so being connected does not mean being heard (R1). `framer` is for peers that frame in a way of
 * their own.
 */
export async function dial(address: Target, signal?: AbortSignal, framer: Framer = new Framer(formatAddress(address))): Promise<Transport> {
  signal?.throwIfAborted();
  const peer = formatAddress(address);
  switch (address.kind) {
    case "unix":
      checkSocketPath(address.path);
      return connected(connect({ path: address.path }), "connect", peer, framer, signal);
    case "tcp":
      return connected(connect({ host: address.host, port: address.port, noDelay: true, ...KEEP_ALIVE }), "connect", peer, framer, signal);
    // Loaded when asked for: most programs never do.
    case "tls":
      return (await import("./tls.ts")).dialTls(address, peer, framer, signal);
    case "exec":
      return (await import("./child.ts")).dialChild(address.command, peer, framer, signal);
  }
}

/** So that the end of a machine that could not say goodbye is noticed, in the system's own time. */
export const KEEP_ALIVE = { keepAlive: true, keepAliveInitialDelay: 15_000 } as const;

/** A socket that is on its way, once it is there; `event` says so. Errors as for {@link dial}. */
export function connected(socket: Socket, event: "connect" | "secureConnect", peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      forget?.();
      socket.removeListener(event, arrived);
      socket.removeListener("error", failed);
      act();
    };
    const arrived = (): void => settle(() => resolve(socketTransport(socket, peer, framer)));
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

/** A connected socket, its end or its break as the end of the iteration. Takes the socket over. */
export function socketTransport(socket: Socket, peer: string, framer: Framer = new Framer(peer)): Transport {
  const inbox = new Inbox();
  const closed = new Promise<void>((resolve) => (socket.closed ? resolve() : void socket.once("close", () => resolve())));
  socket.on("data", (chunk: Buffer) => {
    const frames = framer.read(chunk);
    inbox.push(frames.messages);
    if (frames.fault === undefined) return;
    inbox.end(frames.fault);
    socket.destroy();
  });
  socket.on("error", (cause) => inbox.end(cause));
  socket.on("end", () => inbox.end(framer.pending > 0 ? new Error(`closed in the middle of a message, after ${framer.pending} bytes of it`) : undefined));
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
  EAGAIN: "other clients hold this monitor and its queue is full: it serves one at a time",
  ENOTFOUND: "no such host",
};

/** The system's refusal in our words. */
export function refusal(peer: string, cause: NodeJS.ErrnoException): ConnectError {
  const errno = cause.code;
  const why = errno === undefined ? undefined : REASONS[errno];
  return new ConnectError(peer, why === undefined ? cause.message : `${why} (${errno})`, { errno, cause });
}
