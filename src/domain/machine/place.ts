import { basename, dirname, join, resolve } from "node:path";
import { env as ownEnvironment } from "node:process";
import { type Folders, foldersOf } from "../../config/folders.ts";
import { type ConfigPlace, locate } from "../../config/locate.ts";
import { runtimePaths, type RuntimePaths } from "../../config/runtime.ts";
import { sha256 } from "../../digest.ts";
import { UsageError } from "../../errors.ts";
import { formatAddress, parseTarget, type Target } from "../../wire/address.ts";

/** Where domains are looked for, and how long a monitor may take to answer. */
export interface DomainOptions {
  /** Folder of the configs; else QMPCTL_CONFIG_DIR, else the XDG one, for root /etc/qmpctl. */
  readonly configDir?: string;
  /** Folder of sockets and pidfiles; else QMPCTL_RUNTIME_DIR, else the XDG one, for root /run/qmpctl. */
  readonly runtimeDir?: string;
  /** Milliseconds for connecting to a monitor, its greeting and the negotiation; 5000 by default. */
  readonly timeout?: number;
  /** The environment that names the folders; the process's own by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** How long a monitor may take to answer, in milliseconds. */
export const MONITOR_TIMEOUT = 5000;

/** Everything that is where a domain is. */
export interface Place {
  readonly name: string;
  /** Null for a transient domain: somebody else's QEMU, known by its monitor only. */
  readonly config: ConfigPlace | null;
  /** The monitor's address, for a transient domain. */
  readonly address: string | null;
  readonly runtime: RuntimePaths;
  readonly folders: Folders;
  readonly timeout: number;
}

/**
 * Finds the place of a domain: a name, the path of a config, or a monitor's address.
 *
 * @throws UsageError for a name that can't be one, an address that is none
 */
export async function placeOf(name: string, options: DomainOptions = {}): Promise<Place> {
  const folders = domainFolders(options);
  const timeout = options.timeout ?? MONITOR_TIMEOUT;
  if (/^[a-z-]+:/.test(name)) {
    const address = parseTarget(name);
    // The same socket by another path would be another machine with a lock of its own.
    if (address.kind === "unix" && !address.path.startsWith("/")) throw new UsageError(`${name}: a relative path means another socket in another folder`, { value: name, expected: `an absolute one, as unix:${resolve(address.path)}` });
    return { name, config: null, address: formatAddress(address), runtime: runtimePaths(folders, keyOf(address, folders)), folders, timeout };
  }
  const config = await locate(name, folders);
  return { name: config.named ? config.name : name, config, address: null, runtime: runtimePaths(folders, config.key), folders, timeout };
}

/** The folders that the options, or the environment, name. */
export function domainFolders({ configDir, runtimeDir, env }: DomainOptions): Folders {
  const folders = foldersOf(env ?? ownEnvironment);
  return { config: configDir ?? folders.config, runtime: runtimeDir ?? folders.runtime };
}

/** One lock for one machine: whoever addresses a monitor of one of our domains shares that domain's. */
function keyOf(address: Target, folders: Folders): string {
  if (address.kind === "unix" && dirname(dirname(address.path)) === folders.runtime) return basename(dirname(address.path));
  return `monitor-${sha256(formatAddress(address)).slice(0, 12)}`;
}

/** Where a launched QEMU's stderr goes: its last words, when it dies. */
export function stderrOf(runtime: RuntimePaths): string {
  return join(runtime.folder, "stderr");
}
