import { listNames } from "../../config/config-folder.ts";
import { findProcesses, type Process } from "../../host/processes.ts";
import { domainFolders, type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { type DomainInfo, inspectDomain, unreadable } from "./inspect.ts";

/** Options of `listDomains`. */
export interface ListOptions extends Omit<DomainOptions, "timeout">, ReadOptions {
  /** Also those that don't run. */
  readonly all?: boolean | undefined;
  readonly timeout?: number | undefined;
}

/** How long each domain of a list has to answer, in milliseconds. */
export const LIST_TIMEOUT = 2000;

/**
 * The domains of the config folder, by name. All are asked at once, each with a deadline of its own: one that does not
 * answer delays the answer by its own deadline, and is listed as unreachable.
 */
export async function listDomains(options: ListOptions = {}): Promise<readonly DomainInfo[]> {
  const names = await listNames(domainFolders(options));
  const timeout = options.timeout ?? LIST_TIMEOUT;
  // One look at the processes of this host for all of them.
  let snapshot: Promise<readonly Process[]> | undefined;
  const processes = (): Promise<readonly Process[]> => (snapshot ??= findProcesses(() => true));
  const found = await Promise.all(names.map((name) => inspect(name, { ...options, timeout }, processes)));
  return options.all === true ? found : found.filter((domain) => domain.state !== "stopped");
}

async function inspect(name: string, options: ListOptions, processes: Place["processes"]): Promise<DomainInfo> {
  try {
    return await inspectDomain({ ...(await placeOf(name, options)), processes }, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    return unreadable(name, error);
  }
}
