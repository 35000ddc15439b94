/// <reference lib="esnext.disposable" preserve="true" />
import { createServer, type Server } from "node:net";
import { onAbort } from "./abort.ts";
import { type Address, checkSocketPath, formatAddress } from "./address.ts";
import { Framer, type FramingOptions } from "./framing.ts";
import { Intake, refusal, socketTransport } from "./socket.ts";
import type { Transport } from "./transport.ts";

/** Waits for QEMUs that connect to us (`-chardev socket,server=off,reconnect=1`). They connect again when the connection ends. */
export interface Listener extends AsyncDisposable, AsyncIterable<Transport> {
  /** Where it listens; for port 0, with the port that the system chose. */
  readonly address: string;
  /**
   * The next QEMU that connects; undefined when the listener is closed.
   *
   * @throws the signal's reason as it is
   */
  accept(signal?: AbortSignal): Promise<Transport | undefined>;
  /** Stops listening. Connections that were accepted stay open; those still waiting to be accepted are closed. */
  close(): Promise<void>;
}

/**
 * Listens on a Unix socket or a TCP port. Port 0 means any free port.
 *
 * @throws ConnectError when the system refuses; UsageError when the path is too long, or the message limit is not valid
 */
export async function listen(address: Address, options: FramingOptions = {}): Promise<Listener> {
  const framerOf = (peer: string): Framer => new Framer(peer, options);
  framerOf(formatAddress(address));
  const server = createServer();
  const arrived: Transport[] = [];
  const waiting: ((transport: Transport | undefined) => void)[] = [];
  await listening(server, address);
  const where = addressOf(server, address);
  let count = 0;
  server.on("connection", (socket) => {
    const peer = `${where}#${++count}`;
    const transport = socketTransport(socket, peer, new Intake(framerOf(peer)));
    const next = waiting.shift();
    if (next === undefined) arrived.push(transport);
    else next(transport);
  });
  server.on("close", () => waiting.splice(0).forEach((tell) => tell(undefined)));
  const accept = (signal?: AbortSignal): Promise<Transport | undefined> => {
    signal?.throwIfAborted();
    const there = arrived.shift();
    if (there !== undefined || !server.listening) return Promise.resolve(there);
    return waitFor(waiting, signal);
  };
  const close = async (): Promise<void> => {
    // Node closes a server when its last connection ends. We do not wait for connections that were accepted.
    server.close();
    waiting.splice(0).forEach((tell) => tell(undefined));
    await Promise.all(arrived.splice(0).map((transport) => transport.close()));
  };
  return {
    address: where,
    accept: async (signal) => accept(signal),
    close,
    [Symbol.asyncDispose]: close,
    async *[Symbol.asyncIterator]() {
      for (let next = await accept(); next !== undefined; next = await accept()) yield next;
    },
  };
}

function listening(server: Server, address: Address): Promise<void> {
  if (address.kind === "unix") checkSocketPath(address.path);
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(refusal(formatAddress(address), cause)));
    server.listen(address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port }, resolve);
  });
}

function addressOf(server: Server, address: Address): string {
  const at = server.address();
  if (address.kind === "unix" || at === null || typeof at === "string") return formatAddress(address);
  return formatAddress({ ...address, port: at.port });
}

function waitFor(waiting: ((transport: Transport | undefined) => void)[], signal: AbortSignal | undefined): Promise<Transport | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      waiting.splice(waiting.indexOf(tell), 1);
      reject(signal?.reason as Error);
    };
    const tell = (transport: Transport | undefined): void => {
      forget?.();
      resolve(transport);
    };
    const forget = signal === undefined ? undefined : onAbort(signal, abort);
    waiting.push(tell);
  });
}
