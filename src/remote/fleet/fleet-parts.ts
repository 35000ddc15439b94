import { UsageError } from "../../errors.ts";
import type { HostOptions } from "../connection.ts";
import { callerAt } from "../dial-host.ts";
import { parseHost } from "../host-address.ts";
import type { Crew } from "./crew.ts";
import { dialled, membersOf } from "./dialled.ts";
import { hostsIn } from "./hosts-in.ts";
import type { FleetHost } from "./known-hosts.ts";
import { KEPT, Links } from "./links.ts";
import type { Member } from "./member.ts";

export { askDomains, askHosts } from "./ask-fleet.ts";
export { workOverFleet } from "./campaign.ts";
export { defineWork } from "./define-work.ts";
export { fleetEvents } from "./fleet-events.ts";
export { forMany } from "./many-listeners.ts";
export { domainWork } from "./work.ts";

/** How the hosts of a fleet are found and connected to. */
export interface FleetConnectOptions extends Omit<HostOptions, "signal"> {
  /** An inventory of Ansible's, instead of the `hosts` file. */
  readonly inventory?: string | undefined;
}

/** The fleet of a list of hosts. @throws as `Fleet.connect` does */
export async function crewOf(hosts: string, { inventory, ...options }: FleetConnectOptions): Promise<Crew> {
  return crewAt(await hostsIn(hosts, inventory === undefined ? {} : { inventory }), options);
}

/** The fleet of these hosts. @throws UsageError for what can't be a host, for one that is there twice, and for none */
export async function crewFrom(hosts: readonly string[], options: FleetConnectOptions): Promise<Crew> {
  if (hosts.length === 0) throw new UsageError("a fleet of no hosts", { value: hosts, expected: "hosts, as kvm1 or root@kvm1:2222" });
  const found = [...new Set(hosts)].map((text): FleetHost => ({ name: text, at: parseHost(text) }));
  return crewAt(found, options);
}

async function crewAt(hosts: readonly FleetHost[], options: HostOptions): Promise<Crew> {
  const members = await membersOf(hosts, { ssh: options.ssh });
  const crew = { members, dial: (member: Member) => dialled(member.address, (at, signalNow) => callerAt(at, options, signalNow)) };
  // Too many to be kept: each piece of work has its own, and closes each when its host is done.
  return members.length > KEPT ? crew : { ...crew, links: new Links(crew, { stays: true }) };
}
