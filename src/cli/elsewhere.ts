import type { Facade } from "../domain/facade.ts";
import { formatHost, noDomain, parseRemote } from "../remote/host-address.ts";
import { addressOf, readdressed } from "../remote/readdress.ts";
import { fleetOption, fleetWordIn, isFleetWord } from "./fleet/fleet-words.ts";
import { misuse } from "./options.ts";
import type { Io, Sink, There, World } from "./verb.ts";

export { fleetIn, withoutFleetWords } from "./fleet/fleet-words.ts";

/** A command line without the words in front of its verb that are about other hosts. */
export interface Hosted extends There {
  readonly host: string | undefined;
  readonly argv: readonly string[];
}

const VALUE = /^(?:-H|--(host|remote-node|inventory)(?:=|$))/;
const EXPECTED: Readonly<Record<string, string>> = { "remote-node": "--remote-node PATH", inventory: "--inventory PATH" };

/**
 * Takes `-H HOSTS` (`-HHOSTS`, `--host HOSTS`), `--installed`, `--remote-node PATH`, `--inventory PATH` and the options of a fleet from the
 * front.
 *
 * `usual`: the host of the environment. @throws UsageError when a value is missing
 */
export function withoutHost(given: readonly string[], usual: string | undefined): Hosted {
  let host = usual;
  let there: There = {};
  let argv = given;
  for (let [first = "", ...rest] = argv; first === "--installed" || VALUE.test(first) || isFleetWord(first); [first = "", ...rest] = argv) {
    if (isFleetWord(first)) {
      const { many, rest: left } = fleetWordIn(argv);
      there = { ...there, many: { ...there.many, ...many } };
      argv = left;
      continue;
    }
    if (first === "--installed") {
      there = { ...there, installed: true };
      argv = rest;
      continue;
    }
    const joined = /^(?:-H(.+)|--[a-z-]+=(.*))$/s.exec(first);
    const value = joined === null ? rest[0] : (joined[1] ?? joined[2]);
    argv = joined === null ? rest.slice(1) : rest;
    const name = VALUE.exec(first)?.[1] ?? "host";
    if (value === undefined || value === "")
      throw misuse(`${first}: a value is missing`, first, EXPECTED[name] ?? "-H HOST, as -H kvm1 or -H root@kvm1");
    if (name === "host") host = value;
    else there = { ...there, [name === "inventory" ? name : "remoteNode"]: value };
  }
  return { host, ...there, argv };
}

/** What a verb is called with if its domains are of another host. */
export interface ThereCall {
  readonly io: Io;
  readonly facade: Facade;
  /** Its domain, as a command names it that is to be typed later. */
  readonly domain: string | undefined;
}

/**
 * The call of a verb whose domain is of another host, by `-H` or by its own address. Every command of ours in what it writes is to be typed
 * here, so it names the host: `qmpctl start web1` there is `qmpctl start ssh://kvm1/web1`. `answers`: what the verb prints is not its own
 * words but the machine's, and left alone.
 *
 * @throws UsageError if no host is named, or an address can't be one; as `hostsIn` does where there is an inventory
 */
export async function callThere(
  given: string | undefined,
  how: There,
  { world, typed, answers }: { readonly world: World; readonly typed: string | undefined; readonly answers: boolean },
): Promise<ThereCall> {
  const { io } = world;
  const { at, domain: own } = given === undefined ? addressIn(typed, how) : { at: bare(given), domain: undefined };
  const host = await placed(at, how, io);
  const facade = onHost(host, world, how);
  const name = own ?? typed;
  if (name === undefined) return { io, facade, domain: undefined };
  const domain = addressOf(host, name);
  return { io: readdressing(io, { domain, name, answers }), facade: own === undefined ? facade : byAddress(facade), domain };
}
function bare(host: string): string {
  return host.replace(/^ssh:\/\//i, "").replace(/\/$/, "");
}

/** Where an operand says that its domain is. */
function addressIn(typed: string | undefined, how: There): { readonly at: string; readonly domain: string } {
  if (typed?.startsWith("ssh://") !== true) {
    const option =
      how.many !== undefined
        ? fleetOption(how.many)
        : how.installed === true
          ? "--installed"
          : how.inventory === undefined
            ? "--remote-node"
            : "--inventory";
    throw misuse(`${option}: of which host? -H HOST is missing`, option, `-H HOST ${option}, or a domain as ssh://HOST/NAME`);
  }
  const { at, domain } = parseRemote(typed);
  if (domain === null) throw noDomain(typed, at);
  return { at: formatHost(at), domain };
}

/** A host as ssh finds it: an inventory may have an address for its name. */
async function placed(host: string, { inventory }: There, { env, signal }: Io): Promise<string> {
  const path = inventory ?? (env["QMPCTL_INVENTORY"] || undefined);
  if (path === undefined) return host;
  const { hostsIn } = await import("../remote/fleet/hosts-in.ts");
  const [found, ...others] = await hostsIn(host, { inventory: path, env, signal });
  return found === undefined || others.length > 0 ? host : formatHost(found.at);
}

/** The same output, where each command of ours names the host. Streams that are not used stay closed. */
function readdressing(
  io: Io,
  { domain, name, answers }: { readonly domain: string; readonly name: string; readonly answers: boolean },
): Io {
  const sink = (own: Sink): Sink => ({
    ...own,
    get columns() {
      return own.columns;
    },
    write: (text) => own.write(readdressed(text, domain, name)),
  });
  let stderr: Sink | undefined;
  return {
    env: io.env,
    signal: io.signal,
    stdout: answers ? io.stdout : sink(io.stdout),
    get stderr() {
      return (stderr ??= sink(io.stderr));
    },
    get stdin() {
      return io.stdin;
    },
  };
}

/** The same domains, where a verb opens one by its address. */
function byAddress(facade: Facade): Facade {
  return { ...facade, open: (address) => facade.open(parseRemote(address).domain ?? address) };
}

/** The domains of another host, connected to when the verb first needs one: a usage mistake asks nobody. */
function onHost(name: string, { host }: World, how: There): Facade {
  let opened: Promise<Facade> | undefined;
  const there = (): Promise<Facade> => (opened ??= host(name, how));
  return {
    isElsewhere: true,
    open: async (domain) => (await there()).open(domain),
    define: async (source, options) => (await there()).define(source, options),
    list: async (options) => (await there()).list(options),
    sample: async (options) => (await there()).sample(options),
    running: async (options) => (await there()).running(options),
    adopt: async (options) => (await there()).adopt(options),
    takeOver: async (source, options) => (await there()).takeOver(source, options),
    outcome: async (key, options) => (await there()).outcome(key, options),
  };
}
