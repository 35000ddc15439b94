import { Links } from "./links.ts";
import type { Hosts } from "./member.ts";

/** The hosts of a fleet, how they are reached, and the connections that are kept from one piece of work to the next. */
export interface Crew extends Hosts {
  readonly links?: Links;
}

/** The connections for a piece of work: those that the fleet keeps, or new ones. They are let go when that is over. */
export function linksFor(crew: Crew): { readonly links: Links } & AsyncDisposable {
  const links = crew.links ?? new Links(crew);
  return { links, [Symbol.asyncDispose]: () => links.over() };
}
