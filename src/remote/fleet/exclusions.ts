import { formatHost } from "../host-address.ts";
import { type FleetHost, keyOf, type ListedHost } from "./known-hosts.ts";

/** Hosts of a list, as long as they are not left out. */
export class Exclusions {
  readonly #hosts: Map<string, ListedHost>;
  /** Keys of hosts, by what they may be called. */
  readonly #called = new Map<string, Set<string>>();

  constructor(hosts: readonly ListedHost[]) {
    this.#hosts = new Map(hosts.map((host) => [keyOf(host), host]));
    for (const [key, host] of this.#hosts) {
      for (const word of new Set([labelOf(host), host.at.host.toLowerCase()])) {
        const keys = this.#called.get(word) ?? new Set();
        this.#called.set(word, keys.add(key));
      }
    }
  }

  /**
   * Leaves a host out, and says whether it was in. One that was typed without a user means it for every user, and without a port for every
   * port (`isExact`: with its own user and port only). One of a group means that machine, whoever logs in: only another port is another.
   */
  exclude(out: FleetHost, { isExact }: { readonly isExact: boolean }): boolean {
    const keys = new Set([...(this.#called.get(labelOf(out)) ?? []), keyOf(out)]);
    const taken = [...keys].filter((key) => {
      const host = this.#hosts.get(key);
      if (host === undefined) return false;
      if (isExact) return isSame(out.at.user, host.at.user) && isSame(out.at.port, host.at.port);
      return labelOf(out) === labelOf(host) ? isSame(out.at.port, host.at.port) || host.at.port === undefined : key === keyOf(out);
    });
    for (const key of taken) this.#hosts.delete(key);
    return taken.length > 0;
  }

  /** The hosts that are left, in their order. */
  left(): readonly ListedHost[] {
    return [...this.#hosts.values()];
  }

  /** What they are called. */
  names(): readonly string[] {
    return [...this.#hosts.values()].map(({ name }) => name);
  }
}

function isSame<T>(wanted: T | undefined, found: T | undefined): boolean {
  return wanted === undefined || wanted === found;
}

/** What a host is called without its user and port. The name that an inventory has is one already. */
function labelOf({ name, at }: FleetHost): string {
  return (name === formatHost(at) ? at.host : name).toLowerCase();
}
