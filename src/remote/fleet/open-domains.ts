import type { Domain } from "../../domain/facade.ts";
import { UsageError } from "../../errors.ts";
import { type Crew, linksFor } from "./crew.ts";
import { domainsOn, isPattern } from "./find-domains.ts";
import type { Member } from "./member.ts";
import { AT_ONCE, eachMember } from "./pool.ts";

/** One domain of one host, open. */
export interface OpenDomain {
  readonly member: Member;
  readonly name: string;
  readonly domain: Domain;
}

/** Domains of many hosts, all open at once. */
export interface OpenDomains extends AsyncDisposable {
  /** In the order of the hosts. */
  readonly found: readonly OpenDomain[];
  /** The hosts that could not be asked, and the domains that could not be opened. */
  readonly failed: readonly { readonly member: Member; readonly name: string | null; readonly error: Error }[];
}

/**
 * Opens the domains of many hosts that a name or a pattern means; their connections are open until it is disposed of.
 *
 * @throws UsageError when a pattern matches nothing anywhere, and every host could say so
 */
export async function openDomains(
  crew: Crew,
  meant: string,
  { atOnce = AT_ONCE, signal }: { readonly atOnce?: number | undefined; readonly signal?: AbortSignal | undefined },
): Promise<OpenDomains> {
  const held = linksFor(crew);
  const found = new Map<Member, OpenDomain[]>();
  const failed: { readonly member: Member; readonly name: string | null; readonly error: Error }[] = [];
  await eachMember(crew.members, { atOnce, isOver: () => signal?.aborted === true }, async (member) => {
    const own: OpenDomain[] = [];
    found.set(member, own);
    try {
      const host = await held.links.to(member, signal);
      for (const name of await domainsOn(host, meant, { signal })) own.push({ member, name, domain: await host.open(name) });
    } catch (error) {
      failed.push({ member, name: isPattern(meant) ? null : meant, error: error instanceof Error ? error : new Error(String(error)) });
    }
  });
  const all = crew.members.flatMap((member) => found.get(member) ?? []);
  if (all.length + failed.length === 0 && signal?.aborted !== true) {
    await held[Symbol.asyncDispose]();
    throw nothingMeant(meant, crew);
  }
  return { found: all, failed, [Symbol.asyncDispose]: () => held[Symbol.asyncDispose]() };
}

/** The error for a pattern that matches nothing anywhere. */
export function nothingMeant(meant: string, { members }: Crew): UsageError {
  const [only, ...more] = members;
  const hosts = more.length === 0 ? (only?.name ?? "no host") : `any of ${more.length + 1} hosts`;
  return new UsageError(`${meant}: it matches no domain of ${hosts}`, { value: meant, expected: "a pattern of a name that is there" });
}
