import type { Domain, Facade } from "../../domain/facade.ts";
import { checkCall } from "./check-call.ts";
import { type Crew, linksFor } from "./crew.ts";
import { domainsOn, isPattern } from "./find-domains.ts";
import type { Member } from "./member.ts";
import { nothingMeant } from "./open-domains.ts";
import { AT_ONCE, eachMember } from "./pool.ts";

/** What one domain answered, or why it did not. */
export interface FleetAnswer<T> {
  readonly host: string;
  /** Null where the host itself was asked, or could not be asked for its domains. */
  readonly domain: string | null;
  readonly value?: T;
  readonly error?: Error;
}

/** How many hosts are asked at once, and until when. */
export interface AskOptions {
  readonly atOnce?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called when a host has answered. */
  readonly onProgress?: ((done: number, of: number) => void) | undefined;
}

/** Whose turn it is. */
export interface Asked {
  readonly member: Member;
  readonly name: string;
}

/**
 * Asks each host something. Resolves with the answers in the order of the hosts; who did not answer is among them, with the error. A host
 * whose turn did not come before the signal is told with its reason.
 *
 * @throws UsageError when all say that the call itself is wrong
 */
export async function askHosts<T>(
  crew: Crew,
  ask: (host: Facade, member: Member) => Promise<T>,
  options: AskOptions = {},
): Promise<readonly FleetAnswer<T>[]> {
  const found = await askEach<T>(crew, async (host, member, tell) => tell({ domain: null, value: await ask(host, member) }), options);
  const answers = crew.members.flatMap((member) => found.get(member) ?? []);
  checkCall(answers);
  return answers;
}

/**
 * Asks each domain that is meant by a name or a pattern.
 *
 * @throws UsageError when a pattern matches nothing anywhere, and every host could say so; or when all say that the call itself is wrong
 */
export async function askDomains<T>(
  crew: Crew,
  meant: string,
  ask: (domain: Domain, asked: Asked) => Promise<T>,
  options: AskOptions = {},
): Promise<{ readonly answers: readonly FleetAnswer<T>[]; readonly unmatched: readonly string[] }> {
  const { signal } = options;
  const found = await askEach<T>(
    crew,
    async (host, member, tell) => {
      for (const name of await domainsOn(host, meant, { signal })) {
        signal?.throwIfAborted();
        const answer = async (): Promise<T> => {
          await using domain = await host.open(name);
          return await ask(domain, { member, name });
        };
        tell({ domain: name, ...(await settled(answer())) });
      }
    },
    options,
    isPattern(meant) ? null : meant,
  );
  const answers = crew.members.flatMap((member) => found.get(member) ?? []);
  if (answers.length === 0) throw nothingMeant(meant, crew);
  checkCall(answers);
  return { answers, unmatched: crew.members.filter((member) => found.get(member)?.length === 0).map(({ name }) => name) };
}

type Answer<T> = Omit<FleetAnswer<T>, "host">;

async function askEach<T>(
  crew: Crew,
  ask: (host: Facade, member: Member, tell: (answer: Answer<T>) => void) => Promise<void>,
  { atOnce = AT_ONCE, signal, onProgress }: AskOptions,
  domain: string | null = null,
): Promise<ReadonlyMap<Member, readonly FleetAnswer<T>[]>> {
  await using held = linksFor(crew);
  const { links } = held;
  const found = new Map<Member, FleetAnswer<T>[]>();
  let done = 0;
  await eachMember(crew.members, { atOnce, isOver: () => signal?.aborted === true }, async (member) => {
    const own: FleetAnswer<T>[] = [];
    found.set(member, own);
    const tell = (answer: Answer<T>): void => void own.push({ host: member.name, ...answer });
    const { error } = await settled(links.to(member, signal).then((host) => ask(host, member, tell)));
    if (error !== undefined) tell({ domain, error });
    await links.done(member);
    onProgress?.(++done, crew.members.length);
  });
  for (const member of crew.members)
    if (!found.has(member)) found.set(member, [{ host: member.name, domain, error: signal?.reason as Error }]);
  return found;
}

async function settled<T>(answer: Promise<T>): Promise<{ readonly value: T; readonly error?: never } | { readonly error: Error }> {
  try {
    return { value: await answer };
  } catch (error) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }
}
