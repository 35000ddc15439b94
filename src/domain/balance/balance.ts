import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openFolder } from "../../config/runtime.ts";
import { UsageError } from "../../errors.ts";
import { memoryOfHost } from "../../host/host-memory.ts";
import { acquireLock, type Lock } from "../../host/lock.ts";
import { domainFolders, type DomainOptions } from "../machine/place.ts";
import type { Balanced } from "./balanced.ts";
import { decide, type Decision, type Move } from "./decide.ts";
import { EMPTY, type History, noteTried, remember, type Tried } from "./history.ts";
import { type HostBefore, look } from "./look.ts";
import type { Observation } from "./observation.ts";
import { Polling } from "./polling.ts";
import { type BalanceMove, make } from "./round.ts";
import { type BalanceSettings, usualSettings } from "./settings.ts";

/** How domains are balanced. Sizes in bytes, times in milliseconds. */
export interface BalanceOptions extends Omit<DomainOptions, "timeout"> {
  /** From the beginning of one round to that of the next; 5000 by default, and a second at least. */
  readonly every?: number | undefined;
  /** One round, and no more. */
  readonly once?: boolean | undefined;
  /** Only say what would be moved: nothing is touched, not even how often QEMU asks the guests. */
  readonly dryRun?: boolean | undefined;
  /** What the host keeps; a tenth of its memory by default, 512 MiB at least and 16 GiB at most. */
  readonly keepFree?: number | undefined;
  /** The most that the domains have together; no limit besides the host's by default. */
  readonly atMost?: number | undefined;
  /** For how long a domain is left alone when somebody else has moved its memory; 600000 by default. */
  readonly handsOff?: number | undefined;
  /** How long each change may take; what is not done by then is `pending`, and goes on. 5000 by default. */
  readonly timeout?: number | undefined;
  /** Ends it: a change that is being made is finished or undone, and all is put back. */
  readonly signal?: AbortSignal | undefined;
}

/** What was seen and done in one round. */
export interface BalanceRound {
  /** When, by this host's clock; ISO 8601. */
  readonly at: string;
  readonly host: BalanceHost;
  readonly moves: readonly BalanceMove[];
  readonly stays: readonly BalanceStay[];
  /** What else was done or could not be: how often QEMU asks a guest. */
  readonly notes: readonly string[];
  /** The last one: what was set is put back, as far as `notes` does not say otherwise. */
  readonly ended?: true;
}

/** The host's memory, in bytes. */
export interface BalanceHost {
  readonly total: number;
  readonly available: number;
  /** What could be given away: below 0 if more was promised than there is. */
  readonly free: number;
  /** Its programs wait for memory, or it swaps. */
  readonly pressed: boolean;
}

/** A domain that was not moved. */
export interface BalanceStay {
  readonly domain: string;
  readonly why: string;
  /** It can't be balanced at all, as it is now. */
  readonly out: boolean;
}

/** How long is waited before the first round for words of the guests that are known to be new, in milliseconds. */
const FIRST_WORD = 8000;
/** How often it is looked for one meanwhile. */
const LISTENS = 250;
const CHANGE_TIMEOUT = 5000;
const LEAST_EVERY = 1000;

/**
 * Moves memory to the domains that need it, between `memory.min` and `memory.max` of their configs, round by round until the signal aborts.
 * Each move is an ordinary change of the live half. There is one such balance of a user on a host at a time. `domains` may be a function
 * that finds them anew for each round.
 *
 * @throws LockedError when there is one already; UsageError for settings that can't be; HostError when the host does not tell its memory
 */
export async function* balance(
  domains: readonly Balanced[] | (() => Promise<readonly Balanced[]>),
  options: BalanceOptions = {},
): AsyncGenerator<BalanceRound, void, undefined> {
  const settings = settingsOf(options);
  const lock = options.dryRun === true ? null : await lockBalance(options);
  const balancer = new Balancer(settings, options);
  try {
    for (;;) {
      const begun = performance.now();
      const round = await balancer.round(typeof domains === "function" ? await domains() : domains).catch((error: unknown) => {
        if (isAborted(options.signal)) return null;
        throw error;
      });
      if (round !== null) yield round;
      if (options.once === true) break;
      await wait(Math.max(0, begun + settings.every - performance.now()), undefined, { signal: options.signal }).catch(() => undefined);
      if (isAborted(options.signal)) break;
    }
    const last = await balancer.end();
    if (last !== null) yield last;
  } finally {
    await balancer.end();
    await lock?.release();
  }
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** @throws UsageError for settings that can't be */
function settingsOf({ every, keepFree, atMost, handsOff }: BalanceOptions): BalanceSettings {
  const total = memoryOfHost()?.total ?? 0;
  const usual = usualSettings(total);
  const settings = {
    ...usual,
    every: every ?? usual.every,
    keepFree: keepFree ?? usual.keepFree,
    handsOff: handsOff ?? usual.handsOff,
    atMost,
  };
  if (settings.every < LEAST_EVERY)
    throw new UsageError(`every ${settings.every} ms: guests say what they use once a second at most`, {
      value: settings.every,
      expected: "1 s or more",
    });
  if (total > 0 && settings.keepFree >= total)
    throw new UsageError(`keep free ${settings.keepFree}: the host has only ${total} bytes in all`, {
      value: settings.keepFree,
      expected: "less than the host has",
    });
  return settings;
}

/** Two that balance the same machines would undo each other's work. @throws LockedError, which names its holder */
async function lockBalance(options: BalanceOptions): Promise<Lock> {
  const { state } = domainFolders(options);
  await openFolder(state);
  return acquireLock(join(state, "balance.lock"), { timeout: 0 });
}

class Balancer {
  readonly #settings: BalanceSettings;
  readonly #options: BalanceOptions;
  readonly #polling = new Polling();
  #history: History = EMPTY;
  #host: HostBefore | null = null;
  #seen: Observation | null = null;
  #decided: Decision | null = null;
  #isEnded = false;

  constructor(settings: BalanceSettings, options: BalanceOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** @throws the signal's reason; HostError */
  async round(domains: readonly Balanced[]): Promise<BalanceRound> {
    const { signal, dryRun, timeout = CHANGE_TIMEOUT } = this.#options;
    const isFirst = this.#seen === null;
    let seen = await this.#look(domains);
    const notes = dryRun === true ? [] : await this.#polling.turnOn(domains, seen, this.#settings.every, signal);
    if (isFirst) seen = await this.#listen(domains, seen);
    const decision = decide(seen, this.#history, this.#settings);
    this.#decided = decision;
    const moves = dryRun === true ? decision.moves.map(planned) : await make(decision.moves, domains, { timeout, signal });
    if (dryRun !== true) this.#history = noteTried(this.#history, moves.flatMap(triedOf), performance.now(), this.#settings);
    return { ...this.#head(seen, decision), moves, stays: decision.stays.map(({ name, ...stay }) => ({ domain: name, ...stay })), notes };
  }

  /** Puts back what was set. Null where there was nothing. May be called again. */
  async end(): Promise<BalanceRound | null> {
    if (this.#isEnded) return null;
    this.#isEnded = true;
    const notes = await this.#polling.putBack();
    const [seen, decided] = [this.#seen, this.#decided];
    return notes.length === 0 || seen === null || decided === null
      ? null
      : { ...this.#head(seen, decided), moves: [], stays: [], notes, ended: true };
  }

  async #look(domains: readonly Balanced[]): Promise<Observation> {
    const { seen, host } = await look(domains, this.#host, this.#options.signal);
    this.#host = host;
    this.#seen = seen;
    this.#history = remember(this.#history, seen, this.#settings);
    return seen;
  }

  /** QEMU keeps what a guest said last, of whatever age. So those that will say something are listened to until each has. */
  async #listen(domains: readonly Balanced[], first: Observation): Promise<Observation> {
    const { signal } = this.#options;
    let seen = first;
    const until = first.now + FIRST_WORD;
    const isSilent = ({ name, state, period, limits }: Observation["guests"][number]): boolean =>
      state === "running" && limits?.min != null && period !== null && period > 0 && this.#history.guests.get(name)?.heardAt === null;
    while (performance.now() < until && seen.guests.some(isSilent)) {
      await wait(LISTENS, undefined, { signal });
      seen = await this.#look(domains);
    }
    return seen;
  }

  #head({ host: { total, available } }: Observation, { budget }: Decision): Pick<BalanceRound, "at" | "host"> {
    const free = Math.round(budget.free);
    return { at: new Date().toISOString(), host: { total, available, free, pressed: this.#history.hostPressed } };
  }
}

function planned({ name, kind, from, to, needy, why }: Move): BalanceMove {
  return { domain: name, kind, from, to, actual: null, outcome: "planned", needy, why };
}

const MADE: ReadonlySet<BalanceMove["outcome"]> = new Set(["applied", "pending", "unchanged"]);

function triedOf({ domain, kind, to, needy, outcome, failure, report }: BalanceMove): readonly Tried[] {
  // Somebody else was quicker: the next look shows it.
  if (outcome === "unchanged" && report?.changes.length === 0) return [];
  if (outcome === "interrupted") return [];
  return [{ name: domain, kind, to, needy, failure: MADE.has(outcome) ? null : (failure ?? outcome) }];
}
