import type { Facade } from "../../domain/facade.ts";
import type { ReadOptions } from "../../domain/model/action.ts";
import { matches } from "../allowed.ts";

/** Whether a domain is given as a pattern of names. A path, or the address of a monitor, is none. */
export function isPattern(domain: string): boolean {
  return /[*?]/.test(domain) && !/[/:]/.test(domain);
}

/**
 * The domains of a host that are meant: of a pattern the names of `list --all` that match, in their order; none is no mistake. A plain
 * name is itself: whether it is there is found out when it is opened.
 *
 * @throws UnreachableError; ForbiddenError
 */
export async function domainsOn(host: Facade, meant: string, options: ReadOptions): Promise<readonly string[]> {
  if (!isPattern(meant)) return [meant];
  const all = await host.list({ ...options, all: true });
  return all.map(({ name }) => name).filter((name) => matches(meant, name));
}
