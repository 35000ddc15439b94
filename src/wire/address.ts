import { Buffer } from "node:buffer";
import { UsageError } from "../errors.ts";

/**
 * A TLS server. `ca`, `cert` and `key` are paths of PEM files: the authorities to trust, and our own certificate with its key. Without
 * `ca`, the system's own authorities are trusted.
 */
export interface TlsAddress {
  readonly kind: "tls";
  readonly host: string;
  readonly port: number;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the server's certificate must have; `host` unless told. */
  readonly name?: string | undefined;
}

/** A socket that a monitor listens on. `host` is a name or an IP address without brackets. */
export type Address =
  { readonly kind: "unix"; readonly path: string } | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** A program whose stdin and stdout lead to a monitor, and its arguments. */
export interface ExecAddress {
  readonly kind: "exec";
  readonly command: readonly string[];
}

/** Any way to a monitor. */
export type Target = Address | TlsAddress | ExecAddress;

const SOCKETS = "unix:/path/to/socket, tcp:127.0.0.1:PORT or tcp:[::1]:PORT";
const TARGETS = `${SOCKETS}, tls:HOST:PORT?ca=FILE&cert=FILE&key=FILE, exec:COMMAND ARGUMENT…`;

/** The longest path of a Unix socket, in bytes: `sun_path` of unix(7) without its closing zero. */
const LONGEST_PATH = 107;

/**
 * Reads what {@link parseAddress} reads, and also `tls:vm.example:4444?ca=/etc/pki/ca.pem` and `exec:ssh host socat -
 * UNIX-CONNECT:/run/vm.sock`. The command is words, or a JSON list of words; no shell reads it.
 *
 * @throws UsageError when the text is no address; it says what is wrong
 */
export function parseTarget(text: string): Target {
  if (text.startsWith("tls:")) return parseTls(text, text.slice(4));
  if (text.startsWith("exec:")) return parseExec(text, text.slice(5));
  return parseSocket(text, TARGETS);
}

/**
 * Reads `unix:/run/vm.sock`, `tcp:localhost:4444` and `tcp:[::1]:4444`. Plain TCP to another machine has a name of its own,
 * `plain-tcp:host:port`, because anyone on the way can read it and command the guest.
 *
 * @throws UsageError when the text is no address; it says what is wrong
 */
export function parseAddress(text: string): Address {
  return parseSocket(text, SOCKETS);
}

function parseSocket(text: string, expected: string): Address {
  const colon = text.indexOf(":");
  const scheme = text.slice(0, Math.max(0, colon));
  const rest = text.slice(colon + 1);
  if (scheme === "unix") return parseUnix(text, rest);
  if (scheme === "tcp") return parseTcp(text, rest, false);
  if (scheme === "plain-tcp") return parseTcp(text, rest, true);
  throw refusal(text, scheme === "" ? "a kind of address is missing" : `no such kind of address: ${scheme}`, expected);
}

/** Writes an address so that {@link parseTarget} reads it back. */
export function formatAddress(address: Target): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  if (address.kind === "exec")
    return `exec:${address.command.every((word) => /^[^\s[]+$/.test(word)) ? address.command.join(" ") : JSON.stringify(address.command)}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  if (address.kind === "tcp") return `${isLoopback(address.host) ? "tcp" : "plain-tcp"}:${host}:${address.port}`;
  const options = TLS_OPTIONS.flatMap((name) =>
    address[name] === undefined ? [] : [`${name}=${encodeURIComponent(address[name]).replaceAll("%2F", "/")}`],
  );
  return `tls:${host}:${address.port}${options.length > 0 ? `?${options.join("&")}` : ""}`;
}

const TLS_OPTIONS = ["ca", "cert", "key", "name"] as const;

/**
 * Refuses a path that the system would cut short, or would report as missing.
 *
 * @throws UsageError when the path is too long for a Unix socket
 */
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
  const { host, port } = parseHostPort(text, rest);
  if (!plain && !isLoopback(host)) {
    throw refusal(
      text,
      `plain TCP to another machine lets anyone on the way command the guest; where that is meant, say plain-tcp:${rest}`,
    );
  }
  return { kind: "tcp", host, port };
}

function parseTls(text: string, rest: string): Target {
  const [at = "", options = ""] = rest.split(/\?(.*)/s);
  const given = new URLSearchParams(options);
  const unknown = [...given.keys()].find((name) => !(TLS_OPTIONS as readonly string[]).includes(name));
  if (unknown !== undefined) throw refusal(text, `no such option: ${unknown}`);
  if (given.has("cert") !== given.has("key")) throw refusal(text, "cert and key go together");
  const chosen = Object.fromEntries(TLS_OPTIONS.flatMap((name) => (given.has(name) ? [[name, given.get(name) ?? ""]] : [])));
  return { kind: "tls", ...parseHostPort(text, at), ...chosen };
}

function parseExec(text: string, rest: string): Target {
  const command = rest.startsWith("[") ? parseWords(text, rest) : rest.split(/\s+/).filter((word) => word !== "");
  if (command.length === 0) throw refusal(text, "the command is missing");
  return { kind: "exec", command };
}

function parseWords(text: string, json: string): readonly string[] {
  try {
    const words: unknown = JSON.parse(json);
    if (Array.isArray(words) && words.every((word): word is string => typeof word === "string")) return words;
  } catch {
    // The error below says so.
  }
  throw refusal(text, "not a JSON list of words");
}

function parseHostPort(text: string, rest: string): { readonly host: string; readonly port: number } {
  const found = /^(?:\[([0-9a-fA-F:.]+(?:%\w+)?)\]|([^:[\]/,\s]+)):(\d{1,5})$/.exec(rest);
  if (found === null) throw refusal(text, "not host:port");
  const host = found[1] ?? found[2] ?? "";
  const port = Number(found[3]);
  if (port < 1 || port > 65535) throw refusal(text, `no such port: ${port}`);
  return { host, port };
}

/** Whether a host's name or address means this machine. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function refusal(text: string, why: string, expected: string = TARGETS): UsageError {
  return new UsageError(`${text}: ${why}`, { value: text, expected });
}
