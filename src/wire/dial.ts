import { formatAddress, type Target } from "./address.ts";
import { Framer } from "./framing.ts";
import { dialSocket } from "./socket.ts";
import type { Transport } from "./transport.ts";

/**
 * Connects to an address of any kind. QEMU serves one client at a time, so a connection does not mean that QEMU reads it yet. Pass a
 * `framer` for another message limit, or for a peer with a framing of its own.
 *
 * @throws ConnectError when nobody can be reached there; UsageError when a socket's path is too long; the signal's reason as it is
 */
export async function dial(address: Target, signal?: AbortSignal, framer: Framer = new Framer(formatAddress(address))): Promise<Transport> {
  signal?.throwIfAborted();
  const peer = formatAddress(address);
  switch (address.kind) {
    case "unix":
    case "tcp":
      return dialSocket(address, peer, framer, signal);
    // These two are loaded when needed: most programs never use them.
    case "tls":
      return (await import("./tls.ts")).dialTls(address, peer, framer, signal);
    case "exec":
      return (await import("./child.ts")).dialChild(address.command, peer, framer, signal);
  }
}
