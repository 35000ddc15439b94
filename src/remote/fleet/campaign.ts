import { now } from "../../deadline.ts";
import { addressOf } from "../readdress.ts";
import { checkCall } from "./check-call.ts";
import type { Crew } from "./crew.ts";
import { linksFor } from "./crew.ts";
import { type Begun, type Ended, endedBadly, endedWell, slim, withoutWayBack } from "./ended.ts";
import type { Links } from "./links.ts";
import type { Member } from "./member.ts";
import { nothingMeant } from "./open-domains.ts";
import { AT_ONCE, checkCount, eachMember } from "./pool.ts";
import { type FleetReport, type FleetTarget, isGood, overallOf, type TargetOutcome } from "./target.ts";
import type { FleetWork, Place } from "./work.ts";

/** How far a fleet has come: how many hosts are planned, or how many targets are done. */
export interface FleetProgress {
  readonly phase: "planning" | "doing";
  readonly done: number;
  readonly of: number;
}

/** How a fleet is worked with. */
export interface FleetOptions {
  /** How many hosts are worked with at once; 10 by default, and never more than 8 behind one jump host. */
  readonly atOnce?: number | undefined;
  /** After so many failures no more are begun; 1 by default. What is under way is finished. */
  readonly stopAfter?: number | undefined;
  /** Do what can be done, though some refuse or can't be reached. */
  readonly wherePossible?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: FleetProgress) => void) | undefined;
}

/** One target while it is worked on. */
interface Entry extends Ended {
  readonly domain: string | null;
}

/**
 * Does something with the domains of many hosts. All is planned before anything is touched: if one refuses, or can't be reached, nothing
 * is touched anywhere, unless `wherePossible`. Within a host its domains come one after another, hosts side by side.
 *
 * Resolves with what became of each target, whatever happened. @throws UsageError when a pattern matches nothing anywhere
 */
export async function workOverFleet(crew: Crew, work: FleetWork, options: FleetOptions = {}): Promise<FleetReport> {
  const start = now();
  checkCount("stopAfter", options.stopAfter ?? 1);
  await using held = linksFor(crew);
  const campaign = new Campaign(crew, held.links, work, options);
  await campaign.plan();
  campaign.checkFound();
  if (work.dryRun !== true && campaign.mayBegin()) await campaign.make();
  return campaign.report(Math.round(now() - start));
}

class Campaign {
  readonly #crew: Crew;
  readonly #work: FleetWork;
  readonly #options: FleetOptions;
  readonly #links: Links;
  readonly #entries: Map<Member, Entry[]>;
  #failures = 0;

  constructor(crew: Crew, links: Links, work: FleetWork, options: FleetOptions) {
    this.#crew = crew;
    this.#work = work;
    this.#options = options;
    this.#links = links;
    this.#entries = new Map(crew.members.map((member) => [member, [{ domain: work.domain, outcome: "not-begun" }]]));
  }

  get #signal(): AbortSignal | undefined {
    return this.#options.signal;
  }

  /** Connects, finds the targets, and plans each: nothing is touched. */
  async plan(): Promise<void> {
    const { atOnce = AT_ONCE, onProgress } = this.#options;
    const of = this.#crew.members.length;
    let done = 0;
    await eachMember(this.#crew.members, { atOnce, isOver: () => this.#signal?.aborted === true }, async (member) => {
      await this.#planHost(member);
      await this.#links.pause(member);
      onProgress?.({ phase: "planning", done: ++done, of });
    });
  }

  async #planHost(member: Member): Promise<void> {
    const entries: Entry[] = [];
    const { work, signal } = { work: this.#work, signal: this.#signal };
    try {
      const host = await this.#links.to(member, this.#signal);
      const names = await work.find(host, { signal });
      entries.push(...names.map((domain): Entry => ({ domain, outcome: "not-begun" })));
      for (const [at, domain] of names.entries()) {
        if (signal?.aborted === true) break;
        entries[at] = { domain, ...(await this.#planOne(member, domain)) };
      }
    } catch (error) {
      entries.push({ domain: work.domain, ...this.#thrown(error, member, "no") });
    }
    this.#entries.set(member, entries);
  }

  async #planOne(member: Member, domain: string): Promise<Ended> {
    try {
      const plan = await this.#work.plan(await this.#links.to(member, this.#signal), domain, this.#place(member));
      const { outcome, report, ...more } = plan;
      // Without a dry run the plan is only waited for.
      if (this.#work.dryRun !== true) return outcome === "planned" ? { outcome } : { outcome, ...more };
      return { outcome, ...more, ...(report === undefined ? {} : { report: slim(report, true) }) };
    } catch (error) {
      return this.#thrown(error, member, "no");
    }
  }

  #place(member: Member): Place {
    return { member, wherePossible: this.#options.wherePossible === true };
  }

  #thrown(error: unknown, member: Member, begun: Begun): Ended {
    return endedBadly(error, { member, signal: this.#signal, begun });
  }

  /** @throws UsageError when nothing is meant, or when every target says that the call itself is wrong */
  checkFound(): void {
    const all = [...this.#entries.values()].flat();
    if (all.length === 0) throw nothingMeant(this.#work.meant, this.#crew);
    checkCall(all);
  }

  /** Whether anything is to be touched. */
  mayBegin(): boolean {
    const all = [...this.#entries.values()].flat();
    if (this.#signal?.aborted === true) return false;
    return all.some(({ outcome }) => outcome === "planned") && (this.#options.wherePossible === true || all.every(isGood));
  }

  /** Does what is planned. */
  async make(): Promise<void> {
    const { atOnce = AT_ONCE, onProgress } = this.#options;
    const of = [...this.#entries.values()].flat().filter(({ outcome }) => outcome === "planned").length;
    let done = 0;
    const members = this.#crew.members.filter((member) => this.#entries.get(member)?.some(({ outcome }) => outcome === "planned"));
    await eachMember(members, { atOnce, isOver: () => this.#isOver() }, async (member) => {
      const entries = this.#entries.get(member) ?? [];
      for (const [at, { domain, outcome }] of entries.entries()) {
        if (outcome !== "planned" || domain === null || this.#isOver()) continue;
        const entry: Entry = { domain, ...(await this.#makeOne(member, domain)) };
        entries[at] = entry;
        if (!isGood(entry)) this.#failures++;
        onProgress?.({ phase: "doing", done: ++done, of });
      }
      await this.#links.done(member);
    });
    for (const entries of this.#entries.values())
      for (const [at, { domain, outcome }] of entries.entries()) if (outcome === "planned") entries[at] = { domain, outcome: "not-begun" };
  }

  #isOver(): boolean {
    return this.#signal?.aborted === true || this.#failures >= (this.#options.stopAfter ?? 1);
  }

  async #makeOne(member: Member, domain: string): Promise<Ended> {
    const notes: string[] = [];
    const withNotes = (ended: Ended): Ended => (notes.length === 0 ? ended : { ...ended, notes });
    let begun: Begun = "no";
    try {
      const listener = {
        begins: () => (begun = this.#work.hasKey ? "with a key" : "without a key"),
        note: (words: string) => notes.push(words),
      };
      const made = await this.#work.make(await this.#links.to(member, this.#signal), domain, this.#place(member), listener);
      return withNotes(made === undefined ? { outcome: "unchanged" } : endedWell(made.name, made.value, addressOf(member.address, domain)));
    } catch (error) {
      return withNotes(this.#thrown(error, member, begun));
    }
  }

  /** What became of each. The way back is told where something failed: nothing is taken back on other hosts by itself. */
  report(elapsed: number): FleetReport {
    const isInterrupted = this.#signal?.aborted === true;
    const all = [...this.#entries].flatMap(([{ name: host }, entries]) => entries.map((entry): FleetTarget => ({ host, ...entry })));
    const settled = all.map((each) =>
      isInterrupted && each.outcome === "planned" && this.#work.dryRun !== true ? { ...each, outcome: "not-begun" as TargetOutcome } : each,
    );
    const outcome = overallOf(settled, { dryRun: this.#work.dryRun === true, isInterrupted });
    const tellsBack = outcome !== "done" && outcome !== "planned" && outcome !== "pending";
    const unmatched = [...this.#entries].filter(([, entries]) => entries.length === 0).map(([{ name }]) => name);
    return { outcome, targets: tellsBack ? settled : settled.map(withoutWayBack), unmatched, elapsed };
  }
}
