import { UsageError } from "../errors.ts";

/** A host that is reached by OpenSSH: what stands in `ssh [-l USER] [-p PORT] -- HOST`. The host may be an alias of ssh_config. */
export interface HostAddress {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
}

/** A domain on another host. `domain` is a name, a path or a monitor's address there; null for the host itself. */
export interface RemoteAddress {
  readonly at: HostAddress;
  readonly domain: string | null;
}

const EXPECTED = "[USER@]HOST[:PORT], as kvm1 or root@kvm1:2222; an IPv6 address stands in brackets";

/** Whether a text is meant as the address of a domain on another host. */
export function isRemote(text: string): boolean {
  return /^ssh:\/\//i.test(text);
}

/**
 * Reads `ssh://[user@]host[:port]/DOMAIN`. DOMAIN may be percent-encoded, as in every URL, and is a name (`web1`), a path
 * (`ssh://kvm1//etc/qmpctl/web1.json`) or a monitor's address (`ssh://kvm1/unix:/run/vm.sock`).
 *
 * @throws UsageError when it is no such address
 */
export function parseRemote(text: string): RemoteAddress {
  const rest = text.replace(/^ssh:\/\//i, "");
  const slash = rest.indexOf("/");
  const at = parseHost(slash < 0 ? rest : rest.slice(0, slash), text);
  const domain = slash < 0 ? "" : decoded(rest.slice(slash + 1), text);
  return { at, domain: domain === "" ? null : domain };
}

/** The error for the address of a host where one of a domain is needed. */
export function noDomain(text: string, at: HostAddress): UsageError {
  return new UsageError(`${text}: the domain is missing`, { value: text, expected: `ssh://${formatHost(at)}/NAME` });
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw new UsageError(`${text}: a % that is no encoded character`, { value: text, expected: "%25 for a percent sign" }, { cause });
  }
}

/** Reads `[user@]host[:port]`. @throws UsageError when it is none; `whole` is what the message shows */
export function parseHost(text: string, whole: string = text): HostAddress {
  const found = /^(?:(?<user>[^@]*)@)?(?:\[(?<ip>[^\]]*)\]|(?<name>[^:]*))(?::(?<port>.*))?$/s.exec(text);
  if (found === null) throw refusal(whole, "not a host");
  const { user, ip, name, port } = found.groups as Readonly<Record<string, string | undefined>>;
  const host = ip ?? name ?? "";
  if (host === "") throw refusal(whole, "the host is missing");
  if (ip !== undefined && !/^[\da-f:.]+(%[\w.-]+)?$/i.test(ip)) throw refusal(whole, `${ip} is no IPv6 address`);
  // ssh would read it as an option, and a name with anything else in it could be words of a ProxyCommand.
  for (const [what, value] of [
    ["host", host],
    ["user", user],
  ] as const) {
    if (value === undefined) continue;
    if (value.startsWith("-")) throw refusal(whole, `a ${what} can't begin with -`);
    if (!/^[\w.:%+-]+$/.test(value)) throw refusal(whole, `${JSON.stringify(value)} can't be a ${what}`);
  }
  return { host, ...(user === undefined ? {} : { user }), ...(port === undefined ? {} : { port: parsePort(port, whole) }) };
}

function parsePort(text: string, whole: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw refusal(whole, `${JSON.stringify(text)} is no port`);
}

function refusal(text: string, why: string): UsageError {
  return new UsageError(`${text === "" ? '""' : text}: ${why}`, { value: text, expected: EXPECTED });
}

/** Writes a host so that {@link parseHost} reads it back. */
export function formatHost({ host, user, port }: HostAddress): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return `${user === undefined ? "" : `${user}@`}${name}${port === undefined ? "" : `:${port}`}`;
}
