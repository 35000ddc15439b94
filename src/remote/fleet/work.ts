import type { Domain, Facade } from "../../domain/facade.ts";
import type { ReadOptions } from "../../domain/model/action.ts";
import { domainsOn, isPattern } from "./find-domains.ts";
import { type Made, madeDomain } from "./made-domain.ts";
import type { Member } from "./member.ts";
import { PlanEnd, type Planned, plannedDomain } from "./planned-domain.ts";

/** What a piece of work is told of its target, besides its name. */
export interface Place {
  readonly member: Member;
  /** What can be done only in part may be done so. */
  readonly wherePossible: boolean;
}

/** Hears of the work on one target. */
export interface Listener {
  /** From now on something may be changed. */
  begins(): void;
  /** Something else that there is to know of it. */
  note(words: string): void;
}

/** What is done with targets of many hosts. */
export interface FleetWork {
  /** What was given for the domains: a name or a pattern. */
  readonly meant: string;
  /** The one domain of each host that is meant; null for a pattern, which a host has to be asked for. */
  readonly domain: string | null;
  /** Only plan it. */
  readonly dryRun: boolean;
  /** Whether each call has a key, by which its host keeps what became of it. */
  readonly hasKey: boolean;
  /** The names of a host's targets. @throws what the host says; UnreachableError */
  find(host: Facade, options: ReadOptions): Promise<readonly string[]>;
  /** What one target would come to; nothing is touched. @throws RefusedError and others, where it can't be done */
  plan(host: Facade, domain: string, place: Place): Promise<Planned>;
  /** Does it. Undefined: nothing was changed. @throws what the host says; LostError; UnreachableError; the signal's reason */
  make(host: Facade, domain: string, place: Place, listener: Listener): Promise<Made | undefined>;
}

/** One of the two times that a target has its turn. */
export interface Turn extends Place {
  readonly note: Listener["note"];
}

/**
 * Work that is one call on a domain. `run` is called twice for each target: with a domain that only plans, and then with the domain
 * itself, as {@link plannedDomain} has it.
 */
export function domainWork(
  meant: string,
  { dryRun, run }: { readonly dryRun: boolean; readonly run: (domain: Domain, turn: Turn) => Promise<unknown> },
): FleetWork {
  return {
    meant,
    domain: isPattern(meant) ? null : meant,
    dryRun,
    hasKey: true,
    find: (host, options) => domainsOn(host, meant, options),
    async plan(host, domain, place) {
      let planned: Planned = { outcome: "unchanged" };
      const notes: string[] = [];
      await using opened = await host.open(domain);
      const planner = plannedDomain(opened, (plan) => (planned = plan), { asFarAs: place.wherePossible });
      await run(planner, { ...place, note: (words) => notes.push(words) }).catch((error: unknown) => {
        if (!(error instanceof PlanEnd)) throw error;
      });
      return notes.length === 0 ? planned : { ...planned, notes };
    },
    async make(host, domain, place, { begins, note }) {
      let made: Made | undefined;
      await using opened = await host.open(domain);
      begins();
      await run(
        madeDomain(opened, (each) => (made = each)),
        { ...place, note },
      );
      return made;
    },
  };
}
