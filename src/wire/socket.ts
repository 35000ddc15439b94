import { connect, type Socket } from "node:net";
import { checkSocketPath, formatAddress, type Address } from "./address.ts";
import { ConnectError } from "./errors.ts";
import { Framer } from "./framing.ts";
import { Inbox } from "./inbox.ts";
import type { Transport } from "./transport.ts";

/**
 * Connects to a listening socket. Rejects with a ConnectError that says why, or with the signal's reason.
 * QEMU serves one client at a time, so being connected does not mean being heard (R1).
 */
export function dial(address: Address, signal?: AbortSignal): Promise<Transport> {
  const peer = formatAddress(address);
  if (address.kind === "unix") checkSocketPath(address.path);
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const socket = address.kind === "unix" ? connect({ path: address.path }) : connect({ host: address.host, port: address.port, noDelay: true });
    const settle = (act: () => void): void => {
      signal?.removeEventListener("abort", abort);
      socket.removeAllListeners();
      act();
    };
    const abort = (): void => {
      settle(() => {
        giveUp(socket);
        reject(signal?.reason as Error);
      });
    };
    signal?.addEventListener("abort", abort, { once: true });
    socket.once("connect", () => settle(() => resolve(socketTransport(socket, peer))));
    socket.once("error", (cause: NodeJS.ErrnoException) => settle(() => reject(refusal(peer, cause))));
  });
}

/** A connected socket, its end or its break as the end of the iteration. Takes the socket over. */
export function socketTransport(socket: Socket, peer: string, framer: Framer = new Framer(peer)): Transport {
  const inbox = new Inbox();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("data", (chunk: Buffer) => {
    const frames = framer.read(chunk);
    inbox.push(frames.messages);
    if (frames.fault === undefined) return;
    inbox.end(frames.fault);
    socket.destroy();
  });
  socket.on("error", (cause) => inbox.end(cause));
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

/** The system may still report on a socket that nobody waits for any more. */
function giveUp(socket: Socket): void {
  socket.on("error", () => {});
  socket.destroy();
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "nobody listens there: no such socket",
  ECONNREFUSED: "nobody listens there: connection refused",
  ENOTSOCK: "that is not a socket",
  EACCES: "no permission",
  EPERM: "no permission",
  ECONNRESET: "the peer took the connection and dropped it",
  EAGAIN: "other clients hold this monitor and its queue is full: QEMU serves one at a time",
  ENOTFOUND: "no such host",
};

function refusal(peer: string, cause: NodeJS.ErrnoException): ConnectError {
  const errno = cause.code;
  const why = (errno === undefined ? undefined : REASONS[errno]) ?? cause.message;
  return new ConnectError(peer, errno === undefined || !(errno in REASONS) ? why : `${why} (${errno})`, { errno, cause });
}
