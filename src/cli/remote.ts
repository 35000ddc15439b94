import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Domain, Facade } from "../domain/facade.ts";
import { Caller } from "../remote/caller.ts";
import { connectHost } from "../remote/connection.ts";
import { farProgram } from "../remote/far-program.ts";
import type { Crew } from "../remote/fleet/crew.ts";
import { formatHost, noDomain, parseHost, parseRemote } from "../remote/host-address.ts";
import { remoteFacade } from "../remote/remote-host.ts";
import type { There } from "./verb.ts";

declare const __dirname: string;

const far = farProgram((name) => readFileSync(join(__dirname, name)));

type Env = Readonly<Record<string, string | undefined>>;

/** A domain on another host, by its address. @throws UsageError when it is none; UnreachableError; what opening it there throws */
export async function openRemote(text: string, env: Env, signal: AbortSignal | undefined): Promise<Domain> {
  const { at, domain } = parseRemote(text);
  if (domain === null) throw noDomain(text, at);
  return (await openHost(formatHost(at), env, signal)).open(domain);
}

/** The domains of another host, as `-H HOST` or an address `ssh://HOST/NAME` says. The connection ends with this process. */
export function openHost(text: string, env: Env, signal: AbortSignal | undefined, how: There = {}): Promise<Facade> {
  const at = parseHost(text.replace(/^ssh:\/\//i, "").replace(/\/$/, ""), text);
  const name = formatHost(at);
  const options = { ssh: env["QMPCTL_SSH"] || undefined, signal, ...how };
  return Promise.resolve(remoteFacade(new Caller(name, () => connectHost(at, far, options)), name));
}

/**
 * The hosts of a list, each connected to when it is first needed. @throws UsageError when it is no list of hosts; HostError; ConfigError
 */
export async function crewOf(hosts: string, env: Env, signal: AbortSignal, { inventory, ...how }: There): Promise<Crew> {
  const [{ hostsIn }, { dialled, membersOf }] = await Promise.all([
    import("../remote/fleet/hosts-in.ts"),
    import("../remote/fleet/dialled.ts"),
  ]);
  const ssh = env["QMPCTL_SSH"] || undefined;
  const found = await hostsIn(hosts, { env, inventory, signal });
  const members = await membersOf(found, { ssh, atOnce: how.many?.atOnce, signal });
  return {
    members,
    dial: ({ address }) =>
      dialled(address, (at, now) => new Caller(formatHost(at), () => connectHost(at, far, { ssh, ...how, signal: now() }))),
  };
}
