import { resolve } from "node:path";
import { env as ownEnvironment } from "node:process";
import { type Folders, foldersOf, unitFolder } from "../../config/folders.ts";
import { type ConfigPlace, locate } from "../../config/locate.ts";
import { UsageError } from "../../errors.ts";
import type { Process } from "../../host/processes.ts";
import { formatAddress, parseTarget } from "../../wire/address.ts";

/** Where domains are looked for, and how long a monitor may take to answer. */
export interface DomainOptions {
  /** Folder of the configs; else QMPCTL_CONFIG_DIR, else for root /etc/qmpctl, else ~/.config/qmpctl (or its XDG place). */
  readonly configDir?: string | undefined;
  /**
   * Folder for the sockets and pidfiles of a start; else QMPCTL_RUNTIME_DIR, else for root /run/qmpctl, else ~/.local/state/qmpctl. A
   * machine is found wherever its folder is.
   */
  readonly runtimeDir?: string | undefined;
  /** Folder of locks and records; else QMPCTL_STATE_DIR, else as the one before. All who change a machine must use the same. */
  readonly stateDir?: string | undefined;
  /**
   * Milliseconds for connecting to a monitor, its greeting and the negotiation; 5000 by default. If another client holds the monitor, the
   * default is as long as a change may take.
   */
  readonly timeout?: number | undefined;
  /** Folder of systemd's units, for `autostart`; else QMPCTL_UNIT_DIR, else /etc/systemd/system for root, else ~/.config/systemd/user. */
  readonly unitDir?: string | undefined;
  /** The environment that names the folders; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How long a monitor may take to answer, in milliseconds. */
export const MONITOR_TIMEOUT = 5000;

/** Where a domain's files are, and how it was addressed. It does not say who answers there: see identity.ts. */
export interface Place {
  readonly name: string;
  /** Null for a transient domain: a QEMU without a config, known by its monitor only. */
  readonly config: ConfigPlace | null;
  /** The monitor's address, for a transient domain. */
  readonly address: string | null;
  readonly folders: Folders;
  /** Where systemd finds units. */
  readonly units: string;
  readonly timeout: number;
  /** Whether the caller gave that timeout: then it also limits the wait for a monitor that another client holds. */
  readonly isTimeoutOwn?: boolean;
  /** The processes of this host, for a caller that looks for many domains at once. */
  readonly processes?: (() => Promise<readonly Process[]>) | undefined;
}

/**
 * Finds the place of a domain: a name, the path of a config, or a monitor's address.
 *
 * @throws UsageError for a name that can't be one, an address that is none; ConfigError for a link that leads out of its folder
 */
export async function placeOf(name: string, options: DomainOptions = {}): Promise<Place> {
  const folders = domainFolders(options);
  const units = options.unitDir ?? unitFolder(options.env ?? ownEnvironment);
  const { timeout = MONITOR_TIMEOUT } = options;
  const common = { folders, units, timeout, isTimeoutOwn: options.timeout !== undefined };
  if (/^[a-z-]+:/.test(name)) {
    const address = parseTarget(name);
    // The same words would mean another socket in another folder.
    if (address.kind === "unix" && !address.path.startsWith("/"))
      throw new UsageError(`${name}: a relative path means another socket in another folder`, {
        value: name,
        expected: `an absolute one, as unix:${resolve(address.path)}`,
      });
    return { name, config: null, address: formatAddress(address), ...common };
  }
  const config = await locate(name, folders);
  return { name: config.named ? config.name : name, config, address: null, ...common };
}

/** The folders that the options, or the environment, name. */
export function domainFolders({ configDir, runtimeDir, stateDir, env }: DomainOptions): Folders {
  const folders = foldersOf(env ?? ownEnvironment);
  return { config: configDir ?? folders.config, runtime: runtimeDir ?? folders.runtime, state: stateDir ?? folders.state };
}
