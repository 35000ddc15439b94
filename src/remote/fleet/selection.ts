import { ConfigError } from "../../config/config-error.ts";
import { UsageError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { formatHost, parseHost } from "../host-address.ts";
import { Exclusions } from "./exclusions.ts";
import { type HostPattern, MOST_HOSTS, namesOf, sizeOf } from "./host-pattern.ts";
import { type FleetHost, keyOf, type KnownHosts, type ListedHost } from "./known-hosts.ts";

/** What there is to look names up in; null where there is none. `source` is where it would be. */
export interface Knowledge {
  readonly known: KnownHosts | null;
  readonly source: string;
}

/** How deep groups may be in groups. */
const DEPTH = 100;
/** How many names may be gone through, with those that are there twice and those that are left out again. */
const MOST_NAMES = 20 * MOST_HOSTS;
/** How many names of groups a message has. */
const SHOWN = 20;

/**
 * The hosts that patterns mean, each once, in the order listed. `text` is the whole list, for messages.
 *
 * @throws UsageError with the item that is wrong; ConfigError if it is in the `hosts` file
 */
export function selectHosts(text: string, patterns: readonly HostPattern[], knowledge: Knowledge): readonly FleetHost[] {
  const hosts = new Selector(knowledge).select(patterns, []);
  for (const { refusal } of hosts) if (refusal !== undefined) throw refusal;
  if (hosts.length > 0) return hosts;
  throw new UsageError(`${text}: no host is left`, { value: text, expected: "a list that leaves at least one host" });
}

class Selector {
  readonly #knowledge: Knowledge;
  readonly #selected = new Map<string, readonly ListedHost[]>();
  #left = MOST_NAMES;

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
  }

  /** `within`: the groups that are being looked into. */
  select(patterns: readonly HostPattern[], within: readonly string[]): readonly ListedHost[] {
    const hosts = new Map<string, ListedHost>();
    for (const pattern of patterns.filter(({ isExcluded }) => !isExcluded)) {
      const meant = this.#meant(pattern, within);
      if (meant.length === 0 && within.length === 0) throw this.#mistake(pattern, `that group has no hosts in ${this.#knowledge.source}`);
      for (const host of meant) if (!hosts.has(keyOf(host))) hosts.set(keyOf(host), host);
      if (hosts.size > MOST_HOSTS) throw this.#mistake(pattern, `with it there are more than ${MOST_HOSTS} hosts`);
    }
    const excluded = patterns.filter(({ isExcluded }) => isExcluded);
    if (excluded.length === 0) return [...hosts.values()];
    const exclusions = new Exclusions([...hosts.values()]);
    for (const pattern of excluded) this.#exclude(pattern, exclusions, within);
    return exclusions.left();
  }

  /** A host that is to be left out and was not in is a slip, which would let the one that was meant in. */
  #exclude(pattern: HostPattern, exclusions: Exclusions, within: readonly string[]): void {
    const meant = this.#meant(pattern, within);
    const found = meant.filter((host) => exclusions.exclude(host, { isExact: !pattern.isGroup && !this.#isKnown(host) }));
    if (pattern.isGroup || found.length > 0) return;
    const near = nearest(pattern.text.slice(1), exclusions.names());
    throw this.#mistake(
      pattern,
      `no such host is in the list${near === undefined ? "" : `, did you mean !${near}?`}`,
      "a host that is listed",
    );
  }

  #isKnown({ name }: ListedHost): boolean {
    return this.#knowledge.known?.find(name) !== undefined;
  }

  #meant(pattern: HostPattern, within: readonly string[]): readonly ListedHost[] {
    this.#left -= sizeOf(pattern);
    const hosts: ListedHost[] = [];
    if (this.#left >= 0) {
      if (!pattern.isGroup) return namesOf(pattern).map((name) => this.#host(name));
      for (const name of namesOf(pattern)) {
        for (const host of this.#group(name, pattern, within)) hosts.push(host);
      }
    }
    if (this.#left >= 0) return hosts;
    throw this.#mistake(pattern, `with it there are more than ${MOST_NAMES} names to go through, and ${MOST_HOSTS} hosts are the most`);
  }

  #host(name: string): ListedHost {
    const known = this.#knowledge.known?.find(name);
    if (known !== undefined) return known;
    const at = parseHost(name);
    return { name: formatHost(at), at };
  }

  #group(name: string, pattern: HostPattern, within: readonly string[]): readonly ListedHost[] {
    const circle = within.indexOf(name);
    if (circle >= 0)
      throw this.#mistake(pattern, `a circle of groups, ${[...within.slice(circle), name].map((each) => `@${each}`).join(" > ")}`);
    if (within.length >= DEPTH) throw this.#mistake(pattern, `groups in groups, more than ${DEPTH} deep`);
    const selected = this.#selected.get(name);
    if (selected !== undefined) {
      this.#left -= selected.length;
      return selected;
    }
    const members = this.#knowledge.known?.groups.get(name);
    if (members === undefined) throw this.#noGroup(name, pattern);
    const hosts = this.select(members, [...within, name]);
    this.#selected.set(name, hosts);
    return hosts;
  }

  #noGroup(name: string, pattern: HostPattern): Error {
    const { known, source } = this.#knowledge;
    if (known === null)
      return this.#mistake(pattern, `there are no groups; write [${name}] and below it its hosts into ${source}, or give --inventory PATH`);
    const names = [...known.groups.keys()];
    const near = nearest(name, names);
    const shown =
      names
        .slice(0, SHOWN)
        .map((each) => `@${each}`)
        .join(", ") + (names.length > SHOWN ? `, and ${names.length - SHOWN} more` : "");
    return this.#mistake(
      pattern,
      `no such group${near === undefined ? "" : `, did you mean @${near}?`}${near === undefined ? ";" : ""} ${source} has ${shown}`,
    );
  }

  /** `expected`: what would be right, where the message does not say it. */
  #mistake({ text, line }: HostPattern, why: string, expected = why): Error {
    if (line !== undefined) return new ConfigError(this.#knowledge.source, "invalid", `line ${line}: ${text}: ${why}`);
    return new UsageError(`${text}: ${why}`, { value: text, expected });
  }
}
