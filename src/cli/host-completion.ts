import { ownUser } from "../config/own-user.ts";
import { namesOf } from "../remote/fleet/host-pattern.ts";
import { groupsFor, type HostListOptions } from "../remote/fleet/hosts-in.ts";
import { sshHosts } from "../remote/fleet/ssh-hosts.ts";

/** What can stand in a host list. */
export interface OfferedHosts {
  readonly groups: readonly string[];
  readonly hosts: readonly string[];
}

/** The most hosts that are offered. */
const MOST = 1000;

/** The groups and hosts of the `hosts` file, or of the inventory, and the hosts of the user's ssh_config. What can't be read has none. */
export async function offeredHosts(options: HostListOptions): Promise<OfferedHosts> {
  const home = ownUser.passwdHome;
  const [known, configured] = await Promise.all([groupsFor(options).catch(() => null), home === undefined ? [] : sshHosts(home)]);
  const patterns = [...(known?.groups.values() ?? [])].flat().filter(({ isGroup, isExcluded }) => !isGroup && !isExcluded);
  const hosts = new Set<string>();
  for (const pattern of patterns) {
    if (hosts.size >= MOST) break;
    for (const name of namesOf(pattern)) hosts.add(name);
  }
  for (const name of configured) hosts.add(name);
  return { groups: [...(known?.groups.keys() ?? [])], hosts: [...hosts].slice(0, MOST) };
}

/** How a host list can go on: the last of its items, behind the others. */
export function hostsFor(typed: string, { groups, hosts }: OfferedHosts): readonly string[] {
  const [, before = "", , item = ""] = /^((.*,)?!?)([^,]*)$/s.exec(typed) ?? [];
  if (/\[[^\]]*$/.test(typed)) return [];
  const user = /^[^@]+@/.exec(item)?.[0];
  if (user !== undefined) return hosts.filter((host) => !host.includes("@")).map((host) => before + user + host);
  return [...groups.map((group) => `${before}@${group}`), ...hosts.map((host) => before + host)];
}
