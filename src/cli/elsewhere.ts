import type { Facade } from "../domain/facade.ts";
import { parseRemote } from "../remote/host-address.ts";
import { addressOf, readdressed } from "../remote/readdress.ts";
import { misuse } from "./options.ts";
import type { Io, Sink, There, World } from "./verb.ts";

/** A command line without the words in front of its verb that are about another host. */
export interface Hosted {
  readonly host: string;
  /** Whether the qmpctl that is installed there is to be used. */
  readonly installed: boolean;
  /** The path of Node there. */
  readonly remoteNode: string | undefined;
  readonly argv: readonly string[];
}

const VALUE = /^(?:-H|--(host|remote-node)(?:=|$))/;

/**
 * Takes `-H HOST` (`-HHOST`, `--host HOST`), `--installed` and `--remote-node PATH` from the front.
 *
 * `usual`: the host of the environment. @throws UsageError when a value is missing, or there is no host
 */
export function withoutHost(given: readonly string[], usual: string | undefined): Hosted {
  let host = usual;
  let remoteNode: string | undefined;
  let installed = false;
  let argv = given;
  for (let [first = "", ...rest] = argv; first === "--installed" || VALUE.test(first); [first = "", ...rest] = argv) {
    if (first === "--installed") {
      installed = true;
      argv = rest;
      continue;
    }
    const joined = /^(?:-H(.+)|--[a-z-]+=(.*))$/s.exec(first);
    const value = joined === null ? rest[0] : (joined[1] ?? joined[2]);
    argv = joined === null ? rest.slice(1) : rest;
    const isNode = first.startsWith("--remote-node");
    if (value === undefined || value === "")
      throw misuse(`${first}: a value is missing`, first, isNode ? "--remote-node PATH" : "-H HOST, as -H kvm1 or -H root@kvm1");
    if (isNode) remoteNode = value;
    else host = value;
  }
  if (host === undefined) throw misuse(`${given[0]}: of which host? -H HOST is missing`, given[0], `-H HOST ${given[0]}`);
  return { host, installed, remoteNode, argv };
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
 */
export function callThere(
  host: string | undefined,
  how: There,
  { world, typed, answers }: { readonly world: World; readonly typed: string | undefined; readonly answers: boolean },
): ThereCall {
  const { io, facade } = world;
  const there = host === undefined ? { ...facade, isElsewhere: true as const } : onHost(host, world, how);
  if (typed === undefined) return { io, facade: there, domain: typed };
  const domain = host === undefined ? typed : addressOf(host.replace(/^ssh:\/\//i, ""), typed);
  const name = host === undefined ? parseRemote(typed).domain : typed;
  if (name === null) return { io, facade: there, domain };
  const sink = (own: Sink): Sink => ({
    ...own,
    get columns() {
      return own.columns;
    },
    write: (text) => own.write(readdressed(text, domain, name)),
  });
  const words: Io = {
    ...io,
    get stdin() {
      return io.stdin;
    },
    stdout: answers ? io.stdout : sink(io.stdout),
    stderr: sink(io.stderr),
  };
  return { io: words, facade: there, domain };
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
    outcome: async (key, options) => (await there()).outcome(key, options),
  };
}

/** The words behind `-H HOST`. No domain of this host fits there, and to ask that one at every TAB would take too long. */
export function wordsBehindHost(typed: readonly string[], env: Io["env"]): { readonly words: readonly string[]; readonly env: Io["env"] } {
  try {
    return { words: withoutHost(typed, "any").argv, env: { ...env, QMPCTL_CONFIG_DIR: "/nonexistent" } };
  } catch {
    return { words: typed, env };
  }
}
