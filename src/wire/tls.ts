import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { messageOf } from "../errors.ts";
import type { TlsAddress } from "./address.ts";
import { ConnectError } from "./errors.ts";
import type { Framer } from "./framing.ts";
import { connected, Intake, KEEP_ALIVE } from "./socket.ts";
import type { Message, Transport } from "./transport.ts";

/**
 * Connects to QEMU's `tls-creds-x509` server, with a client certificate where it asks for one. The server's certificate is always
 * checked. Rejects with a ConnectError that says why, or with the signal's reason.
 */
export async function dialTls(address: TlsAddress, peer: string, framer: Framer, signal?: AbortSignal): Promise<Transport> {
  const [ca, cert, key] = await Promise.all([address.ca, address.cert, address.key].map((path) => readPem(peer, path)));
  signal?.throwIfAborted();
  const name = address.name ?? address.host;
  const socket = connect({
    host: address.host,
    port: address.port,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert, key }),
    // An IP address is no server name, but the certificate is still checked for it.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(KEEP_ALIVE.keepAlive, KEEP_ALIVE.keepAliveInitialDelay);
  return bytewise(socket, await connected(socket, "secureConnect", peer, new Intake(framer), signal));
}

/** The first major version of QEMU that goes on reading what came in one TLS record. */
const WHOLE_RECORDS = 8;

/**
 * QEMU reads a monitor one byte at a time, and before 8.0 waits for more to come on the wire though the rest of the record is there
 * already: to those each byte goes in a record of its own.
 */
function bytewise(socket: TLSSocket, transport: Transport): Transport {
  let old = true;
  let queue = Promise.resolve();
  return {
    ...transport,
    send(text) {
      if (!old) return transport.send(text);
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      queue = queue.then(() => oneByOne(socket, bytes));
    },
    async *[Symbol.asyncIterator]() {
      for await (const batch of transport) {
        old = old && batch.every((message) => majorOf(message) < WHOLE_RECORDS);
        yield batch;
      }
    },
  };
}

async function oneByOne(socket: TLSSocket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    if (!socket.writable) return;
    await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
  }
}

/** Of a greeting; other messages have none. */
function majorOf(message: Message): number {
  const greeting = message["QMP"] as { readonly version?: { readonly qemu?: { readonly major?: number } } } | undefined;
  return greeting?.version?.qemu?.major ?? 0;
}

async function readPem(peer: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ConnectError(peer, `${path} can't be read: ${messageOf(cause)}`, { cause });
  }
}
