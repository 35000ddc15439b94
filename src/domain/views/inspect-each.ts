import { listNames } from "../../config/config-folder.ts";
import { findProcesses, type Process } from "../../host/processes.ts";
import { domainFolders, type DomainOptions, type Place, placeOf } from "../machine/place.ts";
import type { ReadOptions } from "../model/action.ts";
import { type DomainInfo, inspectDomain, unreadable } from "./inspect.ts";

/** The state of each domain of the config folder, by name. `timeout` is what each has to answer. */
export async function inspectEach(options: DomainOptions & ReadOptions): Promise<readonly DomainInfo[]> {
  const names = await listNames(domainFolders(options));
  // One look at the processes of this host for all of them.
  let snapshot: Promise<readonly Process[]> | undefined;
  const processes = (): Promise<readonly Process[]> => (snapshot ??= findProcesses(() => true));
  return Promise.all(names.map((name) => inspect(name, options, processes)));
}

async function inspect(name: string, options: DomainOptions & ReadOptions, processes: Place["processes"]): Promise<DomainInfo> {
  try {
    return await inspectDomain({ ...(await placeOf(name, options)), processes }, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    return unreadable(name, error);
  }
}
