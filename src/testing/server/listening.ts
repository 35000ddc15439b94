import { once } from "node:events";
import { createConnection, type Server, type Socket } from "node:net";
import { UsageError } from "../../errors.ts";

/** A place to listen at, or to dial. Port 0 takes a free one. */
export type Place =
  { readonly kind: "unix"; readonly path: string } | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** `unix:/path`, `tcp:127.0.0.1:0`, `tcp:[::1]:4444`. Throws UsageError. */
export function parsePlace(text: string): Place {
  const [, path, bracketed, host, port] = /^(?:unix:(.+)|tcp:(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5}))$/s.exec(text) ?? [];
  if (path !== undefined) return { kind: "unix", path };
  const name = bracketed ?? host;
  if (name === undefined)
    throw new UsageError(`${text}: no place to listen at`, { value: text, expected: "unix:/path or tcp:127.0.0.1:0" });
  return { kind: "tcp", host: name, port: Number(port) };
}

/** Has a server listen, and gives the address to connect to, with the port that was taken. Rejects with the system's error. */
export async function listenAt(server: Server, place: Place): Promise<string> {
  server.listen(place.kind === "unix" ? { path: place.path } : { host: place.host, port: place.port });
  await once(server, "listening");
  const bound = server.address();
  if (place.kind === "unix" || bound === null || typeof bound === "string") return `unix:${place.kind === "unix" ? place.path : ""}`;
  return `tcp:${place.host.includes(":") ? `[${place.host}]` : place.host}:${bound.port}`;
}

/** Begins to connect. The other half stays open when one ends. */
export function dialPlace(place: Place): Socket {
  return createConnection(
    place.kind === "unix" ? { path: place.path, allowHalfOpen: true } : { host: place.host, port: place.port, allowHalfOpen: true },
  );
}
