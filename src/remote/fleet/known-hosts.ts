import type { UsageError } from "../../errors.ts";
import { formatHost, type HostAddress } from "../host-address.ts";
import type { HostPattern } from "./host-pattern.ts";

/** One host of a fleet. */
export interface FleetHost {
  /** As it was listed, for reports: `root@kvm1:2222`, or the name that an inventory has for it. */
  readonly name: string;
  /** Where ssh goes. */
  readonly at: HostAddress;
}

/** What a group has: patterns of hosts and of other groups. Its exclusions count for this group only. */
export type GroupMembers = readonly HostPattern[];

/** The groups and hosts that are known by name: of the `hosts` file, or of an inventory. */
export interface KnownHosts {
  /** Where they are from, for messages. */
  readonly source: string;
  readonly groups: ReadonlyMap<string, GroupMembers>;
  /** The host of this name. */
  find(name: string): ListedHost | undefined;
}

/** A host of a list, perhaps one that ssh does not lead to: then it can only be left out. */
export interface ListedHost extends FleetHost {
  readonly refusal?: UsageError;
}

/** By what a host is the same: names of hosts don't differ by their case. */
export function keyOf({ at }: FleetHost): string {
  return formatHost({ ...at, host: at.host.toLowerCase() });
}
