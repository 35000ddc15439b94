import { shellWord } from "../../domain/model/format.ts";
import { foldNames } from "../../remote/fleet/fold.ts";
import { addressOf } from "../../remote/readdress.ts";

/** Whose something is. */
export interface Whose {
  readonly host: string;
  readonly domain: string | null;
}

/** Things that look the same together, in the order of the first of each. */
export function groupBy<T>(all: readonly T[], keyOf: (one: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** Targets in short, with their hosts as ranges: `kvm[01-18]/web1`. */
export function foldTargets(targets: readonly Whose[]): string {
  const byHost = groupBy(targets, ({ host }) => host).map((own) => ({
    host: own[0]?.host ?? "",
    domains: own.map(({ domain }) => domain).filter((domain) => domain !== null),
  }));
  return groupBy(byHost, ({ domains }) => JSON.stringify(domains))
    .map((alike) => {
      const hosts = foldNames(alike.map(({ host }) => host));
      const domains = foldNames(alike[0]?.domains ?? []);
      return domains === "" ? hosts : `${hosts}/${domains}`;
    })
    .join(", ");
}

/** A command for one target, by the address of its host. */
export interface Command extends Whose {
  readonly address: string;
  /** As it is typed here: it names `ssh://HOST/DOMAIN`. */
  readonly command: string;
}

/** Commands that differ only in the host as one for all of these hosts: `qmpctl -H 'kvm[01-18]' setmem web1 1GiB`. */
export function foldCommands(commands: readonly Command[]): readonly string[] {
  const plain = commands.map((each) => ({ ...each, bare: withoutHost(each) }));
  return groupBy(plain, ({ bare, command }) => bare ?? `\0${command}`).map((alike) => {
    const [first] = alike;
    if (first === undefined) return "";
    const { bare, command } = first;
    if (alike.length === 1 || bare === undefined) return command;
    const hosts = shellWord(foldNames(alike.map(({ address }) => address)));
    return bare.replaceAll(/(?<=^|&& )qmpctl /g, `qmpctl -H ${hosts} `);
  });
}

/** The command as it would be on the host itself; undefined if it is about something else. */
function withoutHost({ command, address, domain }: Command): string | undefined {
  if (domain === null) return undefined;
  const there = shellWord(addressOf(address, domain));
  if (!command.split(" && ").every((one) => one.startsWith("qmpctl ") && one.includes(` ${there}`))) return undefined;
  return command.replaceAll(` ${there}`, ` ${shellWord(domain)}`);
}
