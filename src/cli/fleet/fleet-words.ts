import { isPattern } from "../../remote/fleet/find-domains.ts";
import { isHostList } from "../../remote/fleet/is-host-list.ts";
import { parseCount } from "../count.ts";
import { misuse } from "../options.ts";
import type { FleetWords, There } from "../verb.ts";

const COUNTS = { "--at-once": "atOnce", "--stop-after": "stopAfter" } as const;

/** Whether a word is an option of a fleet: of its own, or with its value. */
export function isFleetWord(word: string): boolean {
  return /^--(at-once|stop-after)(=|$)|^--where-possible$/.test(word);
}

/**
 * Reads the option that words begin with: what it says, and the words behind it.
 *
 * @throws UsageError for a number that is none, or is missing
 */
export function fleetWordIn([word = "", ...rest]: readonly string[]): { readonly many: FleetWords; readonly rest: readonly string[] } {
  if (word === "--where-possible") return { many: { wherePossible: true }, rest };
  const [name = "", joined] = word.split(/=(.*)/s);
  const value = joined ?? rest[0];
  if (value === undefined || value === "") throw misuse(`${name}: a value is missing`, value, `${name} N`);
  const count = parseCount(value, name);
  if (count < 1) throw misuse(`${name} ${value}: give 1 or more`, value, "a whole number, 1 or more");
  return { many: { [COUNTS[name as keyof typeof COUNTS]]: count }, rest: joined === undefined ? rest.slice(1) : rest };
}

/** Takes the options of a fleet out of the words behind a verb, up to a `--`. @throws UsageError as {@link fleetWordIn} does */
export function withoutFleetWords(words: readonly string[], there: There): { readonly there: There; readonly words: readonly string[] } {
  let many = there.many;
  const kept: string[] = [];
  let left = words;
  while (left.length > 0 && left[0] !== "--") {
    const [word = "", ...rest] = left;
    if (isFleetWord(word)) {
      const found = fleetWordIn(left);
      many = { ...many, ...found.many };
      left = found.rest;
    } else {
      kept.push(word);
      left = rest;
    }
  }
  return { there: many === undefined ? there : { ...there, many }, words: [...kept, ...left] };
}

/** How one of these options is written, for messages. */
export function fleetOption(many: FleetWords): string {
  return many.wherePossible === true ? "--where-possible" : many.atOnce === undefined ? "--stop-after" : "--at-once";
}

/** Whom a command line is about, if it is a fleet: the list of its hosts, and what is given for the domain. */
export interface FleetMeant {
  readonly hosts: string;
  readonly domain: string | undefined;
}

/**
 * Whether many hosts, or domains by a pattern, are meant: a host list behind -H, a pattern with any -H, or either in an address. Undefined:
 * one domain of one host.
 */
export function fleetIn(host: string | undefined, typed: string | undefined, { many }: There): FleetMeant | undefined {
  const told = many !== undefined;
  if (host !== undefined) {
    const hosts = host.replace(/^ssh:\/\//i, "").replace(/\/$/, "");
    return told || isHostList(hosts) || (typed !== undefined && isPattern(typed)) ? { hosts, domain: typed } : undefined;
  }
  const [, hosts = "", domain = ""] = /^ssh:\/\/([^/]*)\/(.*)$/is.exec(typed ?? "") ?? [];
  return hosts !== "" && domain !== "" && (told || isHostList(hosts) || isPattern(domain))
    ? { hosts, domain: decoded(domain, typed ?? "") }
    : undefined;
}

function decoded(part: string, whole: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw misuse(`${whole}: a % that is no encoded character`, whole, "%25 for a percent sign");
  }
}
