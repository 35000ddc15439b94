import { deadlineIn } from "../deadline.ts";
import { type CompletionDomains, ownDomains } from "./completion-domains.ts";
import { parseDuration } from "./duration.ts";
import { withoutHost } from "./elsewhere.ts";
import { domainsByAddress, domainsOn, type FarCompletion } from "./far-completion.ts";
import { hostsFor, offeredHosts } from "./host-completion.ts";
import type { There, World } from "./verb.ts";

/** How long all of a TAB may take where another host is asked. */
const BOUND = "2s";

/** What is completed: a word that is known to be a host, or the words behind those that are about hosts. */
export type HostedLine =
  { readonly offered: readonly string[] } | { readonly words: readonly string[]; readonly domains: CompletionDomains };

/** Takes a line apart whose words are about another host, or may be. Nobody is asked for a password, and no error is told. */
export function hostedLine(typed: readonly string[], world: World, files: string): Promise<HostedLine> {
  return takenApart(typed, world, files).catch(() => ({ offered: [] }));
}

async function takenApart(typed: readonly string[], world: World, files: string): Promise<HostedLine> {
  const { env } = world.io;
  const [before, word] = [typed.slice(0, -1), typed.at(-1) ?? ""];
  const open = openOption(before);
  const joined = /^(?:-H|--(?:host|inventory|remote-node)=)/.exec(word)?.[0];
  const front = (words: readonly string[]): ReturnType<typeof withoutHost> => withoutHost(words, env["QMPCTL_HOST"] || undefined);
  if (open !== undefined) return { offered: await valuesOf(open, word, { how: front(before.slice(0, -1)), world, files }) };
  const { host, argv, ...how } = front(before);
  if (argv.length === 0 && joined !== undefined) {
    const values = await valuesOf(joined, word.slice(joined.length), { how, world, files: undefined });
    return { offered: values.map((value) => joined + value) };
  }
  const far: FarCompletion = { world, how, deadline: deadlineIn(boundOf(env)) };
  const domains = host === undefined ? domainsByAddress(ownDomains(env), far) : domainsOn(host, far);
  return { words: [...argv, word], domains };
}

function boundOf(env: World["io"]["env"]): number {
  try {
    return parseDuration(env["QMPCTL_COMPLETION_TIMEOUT"] || BOUND);
  } catch {
    return parseDuration(BOUND);
  }
}

/** The option in front of the verb whose value comes next. */
function openOption(before: readonly string[]): string | undefined {
  try {
    withoutHost(before, undefined);
    return undefined;
  } catch {
    return before.at(-1);
  }
}

interface Values {
  readonly how: There;
  readonly world: World;
  /** What stands for files, where they can be completed. */
  readonly files: string | undefined;
}

async function valuesOf(option: string, typed: string, { how: { inventory }, world, files }: Values): Promise<readonly string[]> {
  if (option.startsWith("--inventory")) return files === undefined ? [] : [files];
  if (!/^(-H|--host)/.test(option)) return [];
  const offered = await offeredHosts({ inventory, env: world.io.env, signal: AbortSignal.timeout(boundOf(world.io.env)) });
  return hostsFor(typed, offered).filter((each) => each.startsWith(typed));
}
