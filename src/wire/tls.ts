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
 * Connects to QEMU's `tls-creds-x509` server, with a client certificate if the address names one. The server's certificate is always
 * checked.
 *
 * @throws ConnectError when the connection or the check fails, or a PEM file can't be read; the signal's reason as it is
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
    // An IP address can't be sent as a server name, but the certificate is still checked for it.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(KEEP_ALIVE.keepAlive, KEEP_ALIVE.keepAliveInitialDelay);
  return bytewise(socket, await connected(socket, "secureConnect", peer, new Intake(framer), signal));
}

/** The first major version of QEMU that reads a whole TLS record without waiting for more. */
const WHOLE_RECORDS = 8;

/**
 * QEMU reads a monitor one byte at a time. Before 8.0 it then waits for more bytes on the wire, even if the rest of the record has arrived
 * already. So each byte for such a QEMU goes in a record of its own.
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

/** QEMU's major version, from its greeting; 0 for any other message. */
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
