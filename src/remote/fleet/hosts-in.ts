import { env as ownEnvironment } from "node:process";
import type { Environment } from "../../config/folders.ts";
import { domainFolders } from "../../domain/machine/place.ts";
import { parseHostList } from "./host-pattern.ts";
import { hostsFile, readHostsFile } from "./hosts-file.ts";
import type { FleetHost, KnownHosts } from "./known-hosts.ts";
import { type Knowledge, selectHosts } from "./selection.ts";

/** Where the groups of a host list are looked for. */
export interface HostListOptions {
  /** An inventory of Ansible's, in place of the `hosts` file; else QMPCTL_INVENTORY of the environment. */
  readonly inventory?: string | undefined;
  /** Folder of the `hosts` file; else that of the configs, as the environment says. */
  readonly configDir?: string | undefined;
  /** The environment; the process's own by default. */
  readonly env?: Environment | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The hosts that a list means: `kvm1,root@kvm[01-20]:2222,@edge,!kvm03`. Each is there once, in the order listed. Nobody is connected to.
 *
 * @throws UsageError when the list can't be one, names a group that there is not, or means no host or more than 10,000; ConfigError when
 * the
 * `hosts` file can't be trusted or read; HostError when `ansible-inventory` is missing or fails; the signal's reason
 */
export async function hostsIn(text: string, options: HostListOptions = {}): Promise<readonly FleetHost[]> {
  const { env = ownEnvironment, signal } = options;
  const patterns = parseHostList(text);
  const known = await knowledge(
    options,
    env,
    patterns.some(({ isGroup }) => isGroup),
  );
  signal?.throwIfAborted();
  return selectHosts(text, patterns, known);
}

/** The groups that there are, by name: of the inventory, or of the `hosts` file. @throws as {@link hostsIn} does */
export async function groupsFor(options: HostListOptions = {}): Promise<KnownHosts | null> {
  return (await knowledge(options, options.env ?? ownEnvironment, true)).known;
}

async function knowledge({ inventory, configDir, signal }: HostListOptions, env: Environment, asksGroups: boolean): Promise<Knowledge> {
  const path = inventory ?? (env["QMPCTL_INVENTORY"] || undefined);
  // Only an inventory knows hosts by name.
  if (path !== undefined) return { known: await (await import("./inventory.ts")).readInventory(path, { signal }), source: path };
  const file = hostsFile(domainFolders({ configDir, env }).config);
  return { known: asksGroups ? await readHostsFile(file) : null, source: file };
}
