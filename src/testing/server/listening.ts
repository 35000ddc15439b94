import { once } from "node:events";
import { createConnection, type Server, type Socket } from "node:net";
import { UsageError } from "../../errors.ts";

/** An address to listen on, or to connect to. Port 0 takes any free port. */
export type Place =
  { readonly kind: "unix"; readonly path: string } | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/**
 * Reads `unix:/path`, `tcp:127.0.0.1:0` or `tcp:[::1]:4444`.
 *
 * @throws UsageError when the text is anything else
 */
export function parsePlace(text: string): Place {
  const [, path, bracketed, host, port] = /^(?:unix:(.+)|tcp:(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5}))$/s.exec(text) ?? [];
  if (path !== undefined) return { kind: "unix", path };
  const name = bracketed ?? host;
  if (name === undefined)
    throw new UsageError(`${text}: not an address to listen on`, { value: text, expected: "unix:/path or tcp:127.0.0.1:0" });
  return { kind: "tcp", host: name, port: Number(port) };
}

/**
 * Makes a server listen, and returns the address to connect to, with the port that was taken.
 *
 * @throws the system's error when it can't listen there
 */
export async function listenAt(server: Server, place: Place): Promise<string> {
  server.listen(place.kind === "unix" ? { path: place.path } : { host: place.host, port: place.port });
  await once(server, "listening");
  const bound = server.address();
  if (place.kind === "unix" || bound === null || typeof bound === "string") return `unix:${place.kind === "unix" ? place.path : ""}`;
  return `tcp:${place.host.includes(":") ? `[${place.host}]` : place.host}:${bound.port}`;
}

/** Starts to connect. When one half ends, the other stays open. */
export function dialPlace(place: Place): Socket {
  return createConnection(
    place.kind === "unix" ? { path: place.path, allowHalfOpen: true } : { host: place.host, port: place.port, allowHalfOpen: true },
  );
}
