import { type LaunchConfig, parseLaunchConfig } from "../config/launch.ts";
import { isName } from "../config/names.ts";
import { alarmIn, type Deadline } from "../deadline.ts";
import { hostsIn } from "../remote/fleet/hosts-in.ts";
import { isHostList } from "../remote/fleet/is-host-list.ts";
import { formatHost } from "../remote/host-address.ts";
import { addressOf } from "../remote/readdress.ts";
import { killChildren } from "../wire/children.ts";
import type { CompletionDomains } from "./completion-domains.ts";
import { hostsFor, offeredHosts } from "./host-completion.ts";
import type { There, World } from "./verb.ts";

/** How long a machine there may take to answer, in milliseconds: its name is known without. */
const MACHINE = 500;
/** How many hosts of a list are asked for their domains. */
const ASKED = 3;

/** Which hosts completion asks, and until when. */
export interface FarCompletion {
  readonly world: World;
  readonly how: There;
  readonly deadline: Deadline;
}

/** The domains of a host, or of the first of a list, as `-H` has it. */
export function domainsOn(host: string, far: FarCompletion): CompletionDomains {
  return {
    isElsewhere: true,
    names: () => inTime(far, namesOn(host, far), []),
    config: (domain) => inTime(far, configOf(host, domain, far), undefined),
    ends: (domain) => inTime(far, endsOn(host, domain, far), []),
    // A key to some of its domains must not learn of the others: no host tells whose it keeps.
    outcomes: () => Promise.resolve([]),
  };
}

/** The domains of this host, and those that name their host themselves. */
export function domainsByAddress(own: CompletionDomains, far: FarCompletion): CompletionDomains {
  return {
    isElsewhere: false,
    async names(typed) {
      const [, host, rest] = /^ssh:\/\/([^/]*)(\/.*)?$/s.exec(typed) ?? [];
      if (host === undefined) return [...(await own.names(typed)), ...(/^ssh?:?\/?$/.test(typed) ? ["ssh://"] : [])];
      if (rest === undefined) return inTime(far, addresses(host, far), []);
      const names = await inTime(far, namesOn(host, far), []);
      return names.map((name) => addressOf(host, name));
    },
    async config(address) {
      if (!address.startsWith("ssh://")) return own.config(address);
      return inTime(
        far,
        byAddress(address, (host, domain) => configOf(host, domain, far)),
        undefined,
      );
    },
    async ends(address) {
      if (!address.startsWith("ssh://")) return own.ends(address);
      return inTime(
        far,
        byAddress(address, (host, domain) => endsOn(host, domain, far)),
        [],
      );
    },
    outcomes: () => own.outcomes(),
  };
}

async function addresses(typed: string, { world: { io }, how, deadline }: FarCompletion): Promise<readonly string[]> {
  const offered = await offeredHosts({ ...how, env: io.env, signal: AbortSignal.timeout(deadline.left()) });
  return hostsFor(typed, { ...offered, groups: [] }).map((host) => `ssh://${host}/`);
}

async function namesOn(host: string, far: FarCompletion): Promise<readonly string[]> {
  const places = await placesOf(host, far);
  const lists = places.slice(0, ASKED).map(async (place) => {
    const facade = await far.world.host(place, far.how);
    return facade.list({ all: true, timeout: MACHINE });
  });
  const found = (await Promise.allSettled(lists)).flatMap((list) => (list.status === "fulfilled" ? list.value : []));
  return [...new Set(found.map(({ name }) => name).filter(isName))].sort();
}

async function configOf(host: string, domain: string, far: FarCompletion): Promise<LaunchConfig> {
  const [place = host] = await placesOf(host, far);
  const facade = await far.world.host(place, far.how);
  await using opened = await facade.open(domain);
  return parseLaunchConfig(await opened.config(), domain);
}

async function endsOn(host: string, domain: string, far: FarCompletion): Promise<readonly string[]> {
  const [place = host] = await placesOf(host, far);
  const facade = await far.world.host(place, far.how);
  await using opened = await facade.open(domain);
  return ((await opened.info({ timeout: MACHINE })).ends ?? []).map(({ key }) => key);
}

/** Asks by an address. */
async function byAddress<T>(address: string, ask: (host: string, domain: string) => Promise<T>): Promise<T> {
  const [, host = "", domain = ""] = /^ssh:\/\/([^/]*)\/(.*)$/s.exec(address) ?? [];
  return ask(host, decodeURIComponent(domain));
}

/** The hosts of a list, or the one, as ssh finds them. */
async function placesOf(given: string, { world: { io }, how: { inventory }, deadline }: FarCompletion): Promise<readonly string[]> {
  const host = given.replace(/^ssh:\/\//i, "").replace(/\/$/, "");
  if (!isHostList(host) && (inventory ?? io.env["QMPCTL_INVENTORY"] ?? "") === "") return [host];
  const signal = AbortSignal.timeout(deadline.left());
  return (await hostsIn(host, { inventory, env: io.env, signal })).map(({ at }) => formatHost(at));
}

/** An answer, if there is one before the time is over, and no error. */
function inTime<T>({ deadline }: FarCompletion, answer: Promise<T>, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const cancel = alarmIn(deadline.left(), () => {
      // What is under way would be ended with some patience when this process ends.
      killChildren();
      resolve(otherwise);
    });
    const end = (value: T): void => {
      cancel();
      resolve(value);
    };
    answer.then(end, () => end(otherwise));
  });
}
