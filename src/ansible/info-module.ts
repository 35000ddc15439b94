import { ConfigError } from "../config/config-error.ts";
import { Domain } from "../domain/domain.ts";
import { domainFolders } from "../domain/machine/place.ts";
import { type DomainInfo, unreadable } from "../domain/views/inspect.ts";
import { LIST_TIMEOUT, listDomains } from "../domain/views/list.ts";
import { messageOf } from "../errors.ts";
import { matches } from "../remote/allowed.ts";
import { Outcomes } from "../remote/outcomes.ts";
import { Account } from "./account.ts";
import { type Answer, failureOf } from "./answer.ts";
import { infoGiven, type InfoGiven, type Part } from "./info-options.ts";
import { checkOwner } from "./owner.ts";
import type { Surroundings } from "./surroundings.ts";

/** What is told of one domain: what `qmpctl info --json` has, and the parts that were asked for. */
interface Told {
  readonly name: string;
  readonly state: string;
  readonly info: DomainInfo;
  /** Of the parts that can't be told: why. */
  readonly unknown?: Readonly<Record<string, string>>;
}

/** How many domains are asked at once. */
const AT_ONCE = 8;

/** The module `domain_info`: it tells of domains, and changes nothing. Never rejects: what fails is an answer. */
export async function infoModule(given: unknown, around: Surroundings): Promise<Answer> {
  let wanted: InfoGiven | undefined;
  try {
    wanted = infoGiven(given);
    const infos = await infosOf(wanted, around);
    const domains: Told[] = [];
    for (let at = 0; at < infos.length; at += AT_ONCE)
      domains.push(...(await Promise.all(infos.slice(at, at + AT_ONCE).map((info) => tell(info, wanted as InfoGiven, around)))));
    const [first, ...more] = domains;
    const isOne = wanted.name.length === 1 && !wanted.name.some(isPattern);
    return { changed: false, domains, ...(isOne ? { exists: first !== undefined } : {}), ...(isOne && more.length === 0 ? first : {}) };
  } catch (error) {
    const {
      actions: _,
      reports: _reports,
      notes: _notes,
      pending: _pending,
      ...answer
    } = await failureOf(wanted?.name.join(", ") ?? "", error, new Account(), around);
    return answer as Answer;
  }
}

function isPattern(name: string): boolean {
  return /[*?]/.test(name);
}

/** The domains that are meant, each once, in short. */
async function infosOf({ name: names, timeout = LIST_TIMEOUT }: InfoGiven, around: Surroundings): Promise<readonly DomainInfo[]> {
  const { env, signal } = around;
  const patterns = names.filter(isPattern);
  if (patterns.length > 0) await checkOwner(undefined, around);
  const all = patterns.length === 0 ? [] : await listDomains({ all: true, env, signal, timeout });
  const found = new Map(all.filter(({ name }) => patterns.some((pattern) => matches(pattern, name))).map((info) => [info.name, info]));
  for (const name of names.filter((each) => !isPattern(each))) {
    await checkOwner(name, around);
    const info = found.has(name) ? undefined : await infoOf(name, timeout, around);
    if (info !== undefined) found.set(info.name, info);
  }
  return [...found.values()];
}

/** A domain by its name; undefined if there is none. */
async function infoOf(name: string, timeout: number, { env, signal }: Surroundings): Promise<DomainInfo | undefined> {
  try {
    const domain = await Domain.open(name, { env, timeout });
    return await domain.info({ signal, timeout });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ConfigError)) throw error;
    return error.problem === "missing" ? undefined : unreadable(name, error);
  }
}

async function tell(info: DomainInfo, { gather, timeout }: InfoGiven, { env, signal }: Surroundings): Promise<Told> {
  const { name, state } = info;
  const unknown: Record<string, string> = {};
  const parts: Record<string, unknown> = {};
  const isReadable = state !== "damaged" && state !== "unsafe";
  const domain = isReadable ? await Domain.open(name, { env }) : null;
  for (const part of gather) {
    try {
      if (part === "outcomes") parts[part] = await new Outcomes(domainFolders({ env }).state).about(name);
      else if (domain !== null) parts[part] = await partOf(domain, part, { signal, ...(timeout === undefined ? {} : { timeout }) });
    } catch (error) {
      signal.throwIfAborted();
      unknown[part] = messageOf(error);
    }
  }
  return { name, state, info, ...parts, ...(Object.keys(unknown).length > 0 ? { unknown } : {}) };
}

function partOf(
  domain: Domain,
  part: Exclude<Part, "outcomes">,
  options: { readonly signal: AbortSignal; readonly timeout?: number },
): Promise<unknown> {
  return part === "config" ? domain.config() : domain[part](options);
}
