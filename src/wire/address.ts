import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";

/** Where a monitor listens. `host` is a name or an IP address without brackets. */
export type Address = { readonly kind: "unix"; readonly path: string } | { readonly kind: "tcp"; readonly host: string; readonly port: number };

const EXPECTED = "unix:/path/to/socket, tcp:127.0.0.1:PORT or tcp:[::1]:PORT";

/** The longest path of a Unix socket, in bytes: `sun_path` of unix(7) without its closing zero. */
const LONGEST_PATH = 107;

/**
 * `unix:/run/vm.sock`, `tcp:localhost:4444`, `tcp:[::1]:4444`. Plain TCP to another machine has to be asked for by its own name,
 * `plain-tcp:host:port`: whoever is on the way can read it, and command the guest. Throws a UsageError that says what is wrong.
 */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  if (scheme === "unix") return parseUnix(text, rest);
  if (scheme === "tcp") return parseTcp(text, rest, false);
  if (scheme === "plain-tcp") return parseTcp(text, rest, true);
  throw refusal(text, scheme === "" ? "a kind of address is missing" : `no such kind of address: ${scheme}`);
}

/** The text that {@link parseAddress} reads as this address. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${isLoopback(address.host) ? "tcp" : "plain-tcp"}:${host}:${address.port}`;
}

/** Refuses a path that the system would cut short, or misreport as missing. */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= LONGEST_PATH) return;
  throw new UsageError(`${path}: a Unix socket's path may have ${LONGEST_PATH} bytes, this one has ${bytes}`, {
    value: path,
    expected: `at most ${LONGEST_PATH} bytes`,
  });
}

function parseUnix(text: string, path: string): Address {
  if (path === "") throw refusal(text, "the path is missing");
  if (path.includes("\0")) throw refusal(text, "a path has no zero byte");
  if (/,(server|wait|abstract|id)\b/.test(path)) throw refusal(text, "QEMU's own options do not belong to the address");
  checkSocketPath(path);
  return { kind: "unix", path };
}

function parseTcp(text: string, rest: string, plain: boolean): Address {
  const found = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:[\]/,\s]+)):(\d{1,5})$/.exec(rest);
  if (found === null) throw refusal(text, "not host:port");
  const host = found[1] ?? found[2] ?? "";
  const port = Number(found[3]);
  if (port < 1 || port > 65535) throw refusal(text, `no such port: ${port}`);
  if (!plain && !isLoopback(host)) {
    throw refusal(text, `plain TCP to another machine lets anyone on the way command the guest; where that is meant, say plain-tcp:${rest}`);
  }
  return { kind: "tcp", host, port };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function refusal(text: string, why: string): UsageError {
  return new UsageError(`${text}: ${why}`, { value: text, expected: EXPECTED });
}
